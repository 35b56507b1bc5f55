import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync } from 'node:fs';
import { Socket } from 'node:net';
import { constants } from 'node:os';
import { errnoName, FsError } from '../errno.ts';
import type { Pid } from '../ids.ts';
import { receiveSoon, sendNow, socketPair } from './local-socket.ts';
import type { Program, RegistersWanted, Stopped, TracerLink } from './tracer-link.ts';

/** `struct command`, `struct step` and `struct answer` of src/init/tracer.c. */
const SEIZE = 1;
const STOPPED = 2;
const RUN = 3;
const END = 4;
const COMMAND_BYTES = 24;
const STEP_BYTES = 16;
const ANSWER_BYTES = 16;
const INSTRUCTION_BYTES = 8;

/** How long a tracer may take to answer; it waits a second at most for a process to stop, and three for its system calls. */
const ANSWER_LIMIT_MS = 10_000;

/** As long an answer is waited for without letting anything else of this thread go on. */
const ANSWER_SOON_MS = 2;

/** Errors of `stopped` and `run` after which a tracer ends, at once or when it can. */
const SPENT_AFTER: ReadonlySet<number> = new Set([constants.errno.EBUSY, constants.errno.ETIMEDOUT]);

interface Waiting {
  readonly what: number;
  readonly resolve: (body: Buffer) => void;
  readonly reject: (error: FsError) => void;
}

/** A tracer of our own, which outlives us long enough to finish what it does. */
export class TracerProcess implements TracerLink {
  readonly #child: ChildProcess;
  readonly #fd: number;
  readonly #socket: Socket;
  #waiting: Waiting[] = [];
  #read: Buffer = Buffer.alloc(0);
  #size = 0;
  #isGone = false;
  /** It has a process still that it could not let go of, and takes no other. */
  #isSpent = false;

  /** ENOSYS, EMFILE; what else keeps it from running is said by what it does not answer. */
  constructor(binary: string) {
    const [ours, its] = socketPair();
    try {
      this.#child = spawn(binary, ['tracer'], { stdio: [its, its, 'ignore'] });
    } finally {
      closeSync(its);
    }
    this.#fd = ours;
    this.#socket = new Socket({ fd: ours, readable: true, writable: true });
    this.#socket.on('data', (bytes: Buffer) => {
      this.#take(bytes);
    });
    for (const end of [this.#child, this.#socket]) {
      end.on('error', () => {
        this.#lost();
      });
    }
    this.#child.on('exit', () => {
      this.#lost();
    });
    this.#child.unref();
    this.#socket.unref();
  }

  get pid(): number {
    return this.#child.pid ?? -1;
  }

  /** Whether it can be given another process. */
  get isIdle(): boolean {
    return !this.#isGone && !this.#isSpent && this.#waiting.length === 0;
  }

  async seize(pid: Pid, { size, instruction }: RegistersWanted, isTold: boolean): Promise<void> {
    this.#size = size;
    const { word = 0, before = 0 } = instruction ?? {};
    this.#send(SEIZE, { pid, count: isTold ? 1 : 0, resultWord: word, callNote: before });
    if (isTold) await this.#answer(SEIZE);
  }

  async stopped(): Promise<Stopped> {
    const body = await this.#answer(STOPPED);
    const size = body.length - INSTRUCTION_BYTES;
    return { registers: body.subarray(0, size), instruction: body.subarray(size) };
  }

  async run({ steps, resultWord, callNote = 0 }: Program): Promise<void> {
    const bodies = steps.map(({ registers, patch, always = false }) => {
      const head = Buffer.from(Int32Array.of(patch?.word ?? -1, patch?.from ?? -1, always ? 1 : 0, 0).buffer);
      return Buffer.concat([head, registers], STEP_BYTES + registers.length);
    });
    this.#send(RUN, { count: steps.length, resultWord, callNote }, Buffer.concat(bodies));
    await this.#answer(RUN);
  }

  end(registers?: Buffer): void {
    this.#send(END, { size: registers?.length ?? 0 }, registers);
  }

  /** No more processes: it ends when it has let go of the last. */
  close(): void {
    this.#socket.end();
  }

  #send(
    what: number,
    { pid = 0, size = this.#size, count = 0, resultWord = 0, callNote = 0 },
    body: Buffer = Buffer.alloc(0),
  ): void {
    const head = Buffer.from(Int32Array.of(what, pid, size, count, resultWord, callNote).buffer);
    const bytes = Buffer.concat([head, body], COMMAND_BYTES + body.length);
    const sent = this.#isGone || this.#socket.writableLength > 0 ? 0 : sendNow(this.#fd, bytes);
    if (sent < bytes.length) this.#socket.write(bytes.subarray(sent));
  }

  /** Most answers come while one waits for them; the others, of who is slow to stop, by the event loop. */
  async #answer(what: number): Promise<Buffer> {
    let timer: NodeJS.Timeout | undefined;
    try {
      return await new Promise<Buffer>((resolve, reject) => {
        if (this.#isGone) reject(new FsError('EIO', 'the tracer is gone; try again'));
        const waiting = { what, resolve, reject };
        this.#waiting.push(waiting);
        this.#take(Buffer.alloc(0));
        const until = performance.now() + ANSWER_SOON_MS;
        while (!this.#isGone && this.#waiting.includes(waiting) && performance.now() < until) {
          this.#take(receiveSoon(this.#fd, ANSWER_SOON_MS));
        }
        if (!this.#waiting.includes(waiting)) return;
        timer = setTimeout(() => {
          this.#lost();
        }, ANSWER_LIMIT_MS);
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
      this.#isSpent ||= SPENT_AFTER.has(error);
      if (error === 0) waiting.resolve(body);
      else waiting.reject(refusal(error));
    }
  }

  #lost(): void {
    this.#isGone = true;
    this.#socket.destroy();
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const { reject } of waiting) reject(new FsError('EIO', 'the tracer ended; try again'));
  }
}

function refusal(error: number): FsError {
  const errno = errnoName(error);
  return new FsError(errno, errno);
}
