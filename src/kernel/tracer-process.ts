import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync } from 'node:fs';
import { Socket } from 'node:net';
import { constants } from 'node:os';
import { errnoName, FsError } from '../errno.ts';
import type { Pid } from '../ids.ts';
import { receiveSoon, sendNow, socketPair } from './local-socket.ts';
import type { Fact, Outcome, Program, Provided, RegistersWanted, Step, Stopped, TracerLink } from './tracer-link.ts';

/** `struct command`, `struct step` and `struct answer` of src/init/tracer.c. */
const SEIZE = 1;
const STOPPED = 2;
const RUN = 3;
const END = 4;
const COMMAND_BYTES = 72;
const [PID_AT, SIZE_AT, PLACE_AT, INSTRUCTION_AT, MASK_AT] = [4, 8, 48, 56, 64];
/** Of 64 bits: the head of a step. A word of the registers takes two, its number and its value. */
const STEP_WORDS = 2;
const ANSWER_BYTES = 16;
const INSTRUCTION_BYTES = 8;

/** A fact of src/init/facts.c begins with it. */
const HOW = { whole: 'w', lines: 'l', end: 'e', start: 's' } as const;

/** How long a tracer may take to answer; it waits a second at most for a process to stop, and three for its system calls. */
const ANSWER_LIMIT_MS = 10_000;

/** As long an answer is waited for without letting anything else of this thread go on. */
const ANSWER_SOON_MS = 2;

/** Errors of `stopped` and `run` after which a tracer ends, at once or when it can. */
const SPENT_AFTER: ReadonlySet<number> = new Set([constants.errno.EBUSY, constants.errno.ETIMEDOUT]);

const NOTHING = Buffer.alloc(0);

/** What is to be run, as it was sent last: most who enter come from the same place. */
const RUNS = new WeakMap<Program, { readonly more: RunsOnlyIf; readonly bytes: Buffer }>();

/** `struct command`, by name. */
interface Command {
  readonly size?: number;
  readonly count?: number;
  readonly resultWord?: number;
  readonly placeWord?: number;
  readonly callNote?: number;
  readonly before?: number;
  readonly steps?: number;
  readonly facts?: number;
  readonly joins?: number;
  readonly place?: bigint | Buffer;
}

/** Of RUN: whether facts have to be so, and the name of the cgroup.procs that is joined. */
interface RunsOnlyIf {
  readonly facts: number;
  readonly joins: string | undefined;
}

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
  #read: Buffer = NOTHING;
  #pid = 0;
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

  async seize(pid: Pid, registers: RegistersWanted, isTold: boolean): Promise<void> {
    this.#send(this.#seizing(pid, registers, { count: isTold ? 1 : 0 }));
    if (isTold) await this.#answer(SEIZE);
  }

  async stopped(): Promise<Stopped> {
    return stoppedFrom(await this.#answer(STOPPED));
  }

  async run(program: Program): Promise<void> {
    this.#send(this.#running(program, { facts: 0, joins: undefined }));
    await this.#answer(RUN);
  }

  async seizeAndRun(
    pid: Pid,
    registers: RegistersWanted,
    program: Program,
    { facts, joins }: Provided,
  ): Promise<Outcome> {
    const bytes = Buffer.from(facts.map(factText).join(''));
    const seizing = this.#seizing(pid, registers, { facts: bytes.length });
    this.#send(seizing, bytes, this.#running(program, { facts: 1, joins }));
    const [stopped, ran] = await this.#answers(STOPPED, RUN);
    const error = ran?.status === 'rejected' ? (ran.reason as FsError) : undefined;
    return { stopped: stoppedFrom(valueOf(stopped)), ran: error?.errno === 'ESTALE' ? 'changed' : (error ?? 'done') };
  }

  #seizing(pid: Pid, { size, placeWord, before = 0 }: RegistersWanted, more: Command): Buffer {
    this.#pid = pid;
    this.#size = size;
    return this.#command(SEIZE, { placeWord, before, ...more });
  }

  #running(program: Program, more: RunsOnlyIf): Buffer {
    const sent = RUNS.get(program);
    const isSame = sent?.more.facts === more.facts && sent.more.joins === more.joins;
    const bytes = isSame ? sent.bytes : this.#runBytes(program, more);
    if (!isSame) RUNS.set(program, { more, bytes });
    bytes.writeInt32LE(this.#pid, PID_AT);
    bytes.writeInt32LE(this.#size, SIZE_AT);
    return bytes;
  }

  #runBytes({ steps, place, placeWord, resultWord, callNote = 0 }: Program, { facts, joins }: RunsOnlyIf): Buffer {
    const body = Buffer.concat(steps.map(stepBytes));
    const file = Buffer.from(joins === undefined ? '' : `${joins}\0`);
    const lengths = { steps: body.length, facts, joins: file.length };
    const head = this.#command(RUN, { count: steps.length, resultWord, placeWord, callNote, ...lengths, place });
    return Buffer.concat([head, body, file]);
  }

  end(registers?: Buffer): void {
    this.#send(this.#command(END, { size: registers?.length ?? 0 }), registers ?? NOTHING);
  }

  /** No more processes: it ends when it has let go of the last. */
  close(): void {
    this.#socket.end();
  }

  #command(what: number, command: Command): Buffer {
    const { size = this.#size, count = 0, resultWord = 0, placeWord = 0, callNote = 0, before = 0 } = command;
    const { steps = 0, facts = 0, joins = 0, place = 0n } = command;
    const words = [what, this.#pid, size, count, resultWord, placeWord, callNote, before, steps, facts, joins];
    const numbers = new Int32Array(COMMAND_BYTES / Int32Array.BYTES_PER_ELEMENT);
    numbers.set(words);
    const bytes = Buffer.from(numbers.buffer);
    if (typeof place === 'bigint') bytes.writeBigUInt64LE(place, PLACE_AT);
    else {
      place.copy(bytes, INSTRUCTION_AT);
      bytes.fill(0xff, MASK_AT, MASK_AT + place.length);
    }
    return bytes;
  }

  #send(...parts: readonly Buffer[]): void {
    const bytes = Buffer.concat(parts);
    const sent = this.#isGone || this.#socket.writableLength > 0 ? 0 : sendNow(this.#fd, bytes);
    if (sent < bytes.length) this.#socket.write(bytes.subarray(sent));
  }

  async #answer(what: number): Promise<Buffer> {
    const [answer] = await this.#answers(what);
    return valueOf(answer);
  }

  /** Most answers come while one waits for them; the others, of who is slow to stop, by the event loop. */
  async #answers(...whats: readonly number[]): Promise<PromiseSettledResult<Buffer>[]> {
    const answers = whats.map(
      (what) =>
        new Promise<Buffer>((resolve, reject) => {
          if (this.#isGone) reject(new FsError('EIO', 'the tracer is gone; try again'));
          else this.#waiting.push({ what, resolve, reject });
        }),
    );
    const settled = Promise.allSettled(answers);
    this.#take(NOTHING);
    const until = performance.now() + ANSWER_SOON_MS;
    while (this.#waiting.length > 0 && performance.now() < until) this.#take(receiveSoon(this.#fd, ANSWER_SOON_MS));
    if (this.#waiting.length === 0) return await settled;
    const timer = setTimeout(() => {
      this.#lost();
    }, ANSWER_LIMIT_MS);
    try {
      return await settled;
    } finally {
      clearTimeout(timer);
    }
  }

  /** Answers come in the order in which they are waited for, but may come before. */
  #take(bytes: Buffer): void {
    if (bytes.length > 0) this.#read = Buffer.concat([this.#read, bytes]);
    for (;;) {
      if (this.#read.length < ANSWER_BYTES) return;
      const [what, error, length] = [this.#read.readInt32LE(0), this.#read.readInt32LE(4), this.#read.readInt32LE(8)];
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

function stoppedFrom(body: Buffer): Stopped {
  const size = body.length - INSTRUCTION_BYTES;
  return { registers: body.subarray(0, size), instruction: body.subarray(size) };
}

function stepBytes({ words, patch, always = false }: Step): Buffer {
  const numbers = new BigUint64Array(STEP_WORDS + 2 * words.length);
  new Int32Array(numbers.buffer).set([patch?.word ?? -1, patch?.from ?? -1, always ? 1 : 0, words.length]);
  for (const [at, [index, value]] of words.entries()) {
    numbers[STEP_WORDS + 2 * at] = BigInt(index);
    numbers[STEP_WORDS + 2 * at + 1] = value;
  }
  return Buffer.from(numbers.buffer);
}

function factText({ how, path, text }: Fact): string {
  return `${HOW[how]}${path}\0${text}\0`;
}

function valueOf(settled: PromiseSettledResult<Buffer> | undefined): Buffer {
  if (settled?.status === 'fulfilled') return settled.value;
  throw settled?.reason ?? new FsError('EIO', 'the tracer says nothing');
}

function refusal(error: number): FsError {
  const errno = errnoName(error);
  return new FsError(errno, errno);
}
