import { spawn, type ChildProcess } from 'node:child_process';
import { Socket } from 'node:net';
import type { Writable } from 'node:stream';
import { errnoName, FsError } from '../errno.ts';
import type { Pid } from '../ids.ts';
import type { Program, TracerLink } from './tracer-link.ts';

/** `struct command`, `struct step` and `struct answer` of src/init/tracer.c. */
const SEIZE = 1;
const STOPPED = 2;
const RUN = 3;
const END = 4;
const COMMAND_BYTES = 24;
const STEP_BYTES = 16;
const ANSWER_BYTES = 16;

/** How long a tracer may take to answer; it waits a second at most for a process to stop. */
const ANSWER_LIMIT_MS = 10_000;

interface Waiting {
  readonly what: number;
  readonly resolve: (body: Buffer) => void;
  readonly reject: (error: FsError) => void;
}

/** A tracer of our own, which outlives us long enough to finish what it does. */
export class TracerProcess implements TracerLink {
  readonly #child: ChildProcess;
  readonly #input: Writable;
  #waiting: Waiting[] = [];
  #read = Buffer.alloc(0);
  #size = 0;
  #isGone = false;

  constructor(binary: string) {
    this.#child = spawn(binary, ['tracer'], { stdio: ['pipe', 'pipe', 'ignore'] });
    const { stdin, stdout } = this.#child;
    if (!stdin || !stdout) throw new FsError('EIO', `Cannot run ${binary}`);
    this.#input = stdin;
    stdout.on('data', (bytes: Buffer) => {
      this.#take(bytes);
    });
    for (const end of [this.#child, stdin, stdout]) {
      end.on('error', () => {
        this.#lost();
      });
    }
    this.#child.on('exit', () => {
      this.#lost();
    });
    this.#child.unref();
    // Pipes of a child are sockets (child_process).
    for (const stream of [stdin, stdout]) if (stream instanceof Socket) stream.unref();
  }

  get pid(): number {
    return this.#child.pid ?? -1;
  }

  /** Whether it can be given another process. */
  get isIdle(): boolean {
    return !this.#isGone && this.#waiting.length === 0;
  }

  async seize(pid: Pid, size: number): Promise<void> {
    this.#size = size;
    const seized = this.#answer(SEIZE);
    this.#send(SEIZE, { pid });
    await seized;
  }

  async stopped(): Promise<Buffer> {
    return await this.#answer(STOPPED);
  }

  async run({ steps, resultWord, callNote = 0 }: Program): Promise<void> {
    const done = this.#answer(RUN);
    const bodies = steps.map(({ registers, patch, always = false }) => {
      const head = Buffer.from(Int32Array.of(patch?.word ?? -1, patch?.from ?? -1, always ? 1 : 0, 0).buffer);
      return Buffer.concat([head, registers], STEP_BYTES + registers.length);
    });
    this.#send(RUN, { count: steps.length, resultWord, callNote }, Buffer.concat(bodies));
    await done;
  }

  end(registers?: Buffer): void {
    this.#send(END, { size: registers?.length ?? 0 }, registers);
  }

  /** No more processes: it ends when it has let go of the last. */
  close(): void {
    this.#input.end();
  }

  #send(
    what: number,
    { pid = 0, size = this.#size, count = 0, resultWord = 0, callNote = 0 },
    body: Buffer = Buffer.alloc(0),
  ): void {
    const head = Buffer.from(Int32Array.of(what, pid, size, count, resultWord, callNote).buffer);
    this.#input.write(Buffer.concat([head, body], COMMAND_BYTES + body.length));
  }

  async #answer(what: number): Promise<Buffer> {
    let timer: NodeJS.Timeout | undefined;
    try {
      return await new Promise<Buffer>((resolve, reject) => {
        if (this.#isGone) reject(new FsError('EIO', 'the tracer is gone; try again'));
        this.#waiting.push({ what, resolve, reject });
        timer = setTimeout(() => {
          this.#lost();
        }, ANSWER_LIMIT_MS);
        this.#take(Buffer.alloc(0));
      });
    } finally {
      clearTimeout(timer);
    }
  }

  /** Answers come in the order in which they are waited for, but may come before. */
  #take(bytes: Buffer): void {
    this.#read = Buffer.concat([this.#read, bytes]);
    for (;;) {
      if (this.#read.length < ANSWER_BYTES) return;
      const [what, error, length] = [0, 4, 8].map((at) => this.#read.readInt32LE(at)) as [number, number, number];
      const waiting = this.#waiting[0];
      if (waiting?.what !== what || this.#read.length < ANSWER_BYTES + length) return;
      const body = this.#read.subarray(ANSWER_BYTES, ANSWER_BYTES + length);
      this.#read = this.#read.subarray(ANSWER_BYTES + length);
      this.#waiting.shift();
      if (error === 0) waiting.resolve(body);
      else waiting.reject(refusal(error));
    }
  }

  #lost(): void {
    this.#isGone = true;
    this.#input.destroy();
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const { reject } of waiting) reject(new FsError('EIO', 'the tracer ended; try again'));
  }
}

function refusal(error: number): FsError {
  const errno = errnoName(error);
  return new FsError(errno, errno);
}
