import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { FsError } from '../errno.ts';

/** Threads that hash; a processor each. */
const THREADS_LIMIT = 4;

/** How long they live on without work: they take some megabytes each, and tens of milliseconds to start. */
const IDLE_MS = 5_000;

export interface HashTask {
  readonly id: number;
  readonly file: string;
  readonly offset: number;
  readonly length: number;
}

export type HashAnswer =
  { readonly id: number; readonly sha256: string } | { readonly id: number; readonly why: string };

interface Waiting {
  readonly task: HashTask;
  readonly resolve: (sha256: string) => void;
  readonly reject: (error: FsError) => void;
}

/** Hashes parts of files, in threads of its own, as many at once as there are processors. */
export class HashThreads {
  readonly #idle: Worker[] = [];
  readonly #busy = new Map<Worker, Waiting>();
  readonly #queue: Waiting[] = [];
  #nextId = 1;
  #ending: NodeJS.Timeout | undefined;

  /** SHA-256 in hexadecimal of what the file has there. Throws EIO if it cannot be read. */
  async hash(file: string, offset: number, length: number): Promise<string> {
    return await new Promise((resolve, reject) => {
      this.#queue.push({ task: { id: this.#nextId++, file, offset, length }, resolve, reject });
      this.#giveOut();
    });
  }

  #giveOut(): void {
    clearTimeout(this.#ending);
    while (this.#queue.length > 0) {
      const thread = this.#idle.pop() ?? this.#another();
      if (!thread) return;
      const waiting = this.#queue.shift() as Waiting;
      this.#busy.set(thread, waiting);
      thread.postMessage(waiting.task);
    }
    if (this.#busy.size > 0) return;
    this.#ending = setTimeout(() => {
      for (const thread of this.#idle.splice(0)) void thread.terminate();
    }, IDLE_MS).unref();
  }

  #another(): Worker | undefined {
    if (this.#busy.size + this.#idle.length >= Math.min(THREADS_LIMIT, availableParallelism())) return undefined;
    const thread = new Worker(new URL('./hash-worker.js', import.meta.url));
    // It is no reason for the daemon to go on.
    thread.unref();
    thread.on('message', (answer: HashAnswer) => {
      const waiting = this.#busy.get(thread);
      this.#busy.delete(thread);
      this.#idle.push(thread);
      if (waiting && 'sha256' in answer) waiting.resolve(answer.sha256);
      else if (waiting && 'why' in answer) waiting.reject(new FsError('EIO', answer.why));
      this.#giveOut();
    });
    thread.on('error', (cause) => {
      this.#lost(thread, cause);
    });
    return thread;
  }

  /** It ended by itself, for want of memory say: what it had is refused, and others do the rest. */
  #lost(thread: Worker, cause: unknown): void {
    const waiting = this.#busy.get(thread);
    this.#busy.delete(thread);
    waiting?.reject(new FsError('EIO', `Cannot hash ${waiting.task.file}`, { cause }));
    if (this.#idle.includes(thread)) this.#idle.splice(this.#idle.indexOf(thread), 1);
    this.#giveOut();
  }
}
