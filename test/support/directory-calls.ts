import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';

const SCRIPT = fileURLToPath(new URL('directory-calls.py', import.meta.url));

/** A sequence of calls ends within this, or hangs. */
const SEQUENCE_LIMIT_MS = 20_000;

/** Effective user and group, and the supplementary groups. */
export type User = readonly [uid: number, gid: number, groups: readonly number[]];

export interface Call extends AnonymousCall {
  readonly user: User;
}

export interface AnonymousCall {
  readonly call: string;
  /** A name that is tmpfs's own: no container can have it. */
  readonly foreign?: boolean;
  readonly [argument: string]: unknown;
}

export interface Sequence {
  /** Of the directory in which the calls are made. */
  readonly mode: number;
  readonly calls: readonly Call[];
}

/** What came of a call, an errno's name or what it returned; and the tree afterwards. */
export type Result = readonly [outcome: string | readonly unknown[], tree: Record<string, unknown>];

/** A process that makes directory calls below `base`; see directory-calls.py. */
export class DirectoryCaller implements AsyncDisposable {
  readonly #base: string;
  readonly #process;
  readonly #lines;
  #complaint = '';

  constructor(base: string, ...options: string[]) {
    this.#base = base;
    this.#process = spawn('python3', [SCRIPT, ...options], { stdio: 'pipe', cwd: '/' });
    this.#process.stderr.on('data', (data: Buffer) => (this.#complaint += data.toString()));
    this.#lines = createInterface({ input: this.#process.stdout })[Symbol.asyncIterator]();
  }

  async make(sequence: Sequence): Promise<Result[]> {
    this.#process.stdin.write(`${JSON.stringify({ base: this.#base, ...sequence })}\n`);
    const hung = setTimeout(() => this.#process.kill('SIGKILL'), SEQUENCE_LIMIT_MS);
    const answer = await this.#lines.next();
    clearTimeout(hung);
    if (answer.done === true)
      throw new Error(`no answer of ${SCRIPT}: ${this.#complaint || 'it hung, and was killed'}`);
    return JSON.parse(answer.value) as Result[];
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#process.kill('SIGKILL');
    return Promise.resolve();
  }
}

/** A tmpfs of the test's own. */
export async function mountedTmpfs(): Promise<AsyncDisposable & { readonly dir: string }> {
  const dir = mkdtempSync('/tmp/nsdir-tmpfs-');
  await execa('mount', ['-t', 'tmpfs', '-o', 'noatime,mode=755,nr_inodes=100000', 'none', dir]);
  return {
    dir,
    async [Symbol.asyncDispose]() {
      await execa('umount', ['--lazy', dir]);
      rmSync(dir, { recursive: true });
    },
  };
}
