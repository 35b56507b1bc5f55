import { appendFileSync, readFileSync, writeFileSync } from 'node:fs';
import { systemErrno } from '../errno.ts';

/** Readers whose marks are kept; those that were set longest ago are forgotten. */
const MARKS_LIMIT = 4096;

/** Lines of the file beyond which it is written anew with those that count. */
const LINES_LIMIT = 2 * MARKS_LIMIT;

/** A reader of events had read all up to event `sequence`, which ends at `offset` of its file. */
export interface ReadMark {
  readonly offset: number;
  readonly sequence: number;
}

/**
 * How far those who follow `.events` have come, by their handles: what is kept of the events does not tell it, once older
 * ones that they have read are given up. A file, a line for each, so that the next daemon knows.
 */
export class ReadMarks {
  readonly #file: string;
  readonly #marks: Map<number, ReadMark>;
  #lines: number;

  constructor(file: string) {
    this.#file = file;
    this.#marks = readMarks(file);
    // Always beyond the limit, so that the first one that is set does away with a torn line.
    this.#lines = LINES_LIMIT;
  }

  of(handle: number): ReadMark | undefined {
    return this.#marks.get(handle);
  }

  set(handle: number, mark: ReadMark): void {
    if (this.#marks.get(handle)?.sequence === mark.sequence) return;
    this.#put(handle, mark);
    this.#lines += 1;
    try {
      if (this.#lines > LINES_LIMIT) this.#rewrite();
      else appendFileSync(this.#file, lineOf([handle, mark]), { mode: 0o600 });
    } catch (error) {
      // Without room, this reader may miss events if the daemon dies; that is no reason to refuse it now.
      if (systemErrno(error) === undefined) throw error;
    }
  }

  delete(handle: number): void {
    this.#marks.delete(handle);
  }

  #put(handle: number, mark: ReadMark): void {
    this.#marks.delete(handle);
    this.#marks.set(handle, mark);
    const [oldest] = this.#marks.keys();
    if (this.#marks.size > MARKS_LIMIT && oldest !== undefined) this.#marks.delete(oldest);
  }

  #rewrite(): void {
    writeFileSync(this.#file, [...this.#marks].map(lineOf).join(''), { mode: 0o600 });
    this.#lines = this.#marks.size;
  }
}

function lineOf([handle, { offset, sequence }]: [number, ReadMark]): string {
  return `${handle} ${offset} ${sequence}\n`;
}

function readMarks(file: string): Map<number, ReadMark> {
  const marks = new Map<number, ReadMark>();
  for (const line of textOf(file).split('\n')) {
    const found = /^(\d+) (\d+) (\d+)$/.exec(line);
    if (found) marks.set(Number(found[1]), { offset: Number(found[2]), sequence: Number(found[3]) });
  }
  return marks;
}

/** Up to its last whole line. */
function textOf(file: string): string {
  try {
    return readFileSync(file, 'utf8').replace(/[^\n]*$/, '');
  } catch {
    return '';
  }
}
