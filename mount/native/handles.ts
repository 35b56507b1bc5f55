import { FsError } from '../../src/errno.ts';
import type { NodeId } from '../../src/tree/node-id.ts';

/** Files open at once; more are refused with ENFILE. The library knows a handle by 31 bits. */
const HANDLES_LIMIT = 65_536;
const NUMBER_LIMIT = 2 ** 31;

/** A file somebody has open. */
export interface OpenFile {
  readonly id: NodeId;
  /** The tree's own number for it. */
  readonly handle: number;
  readonly path: string;
}

/** Open files by the small numbers that the library has for them. */
export class Handles {
  readonly #files = new Map<number, OpenFile>();
  /** How often a path is open, as the node of the newest. */
  readonly #paths = new Map<string, { readonly id: NodeId; readonly count: number }>();
  #next = 1;

  add(file: OpenFile): number {
    if (this.#files.size >= HANDLES_LIMIT) throw new FsError('ENFILE', `${HANDLES_LIMIT} files are open; close some`);
    while (this.#files.has(this.#next)) this.#advance();
    const number = this.#next;
    this.#advance();
    this.#files.set(number, file);
    this.#paths.set(file.path, { id: file.id, count: (this.#paths.get(file.path)?.count ?? 0) + 1 });
    return number;
  }

  /** Throws EBADF. */
  get(number: number): OpenFile {
    const file = this.#files.get(number);
    if (!file) throw new FsError('EBADF', `there is no open file ${number}`);
    return file;
  }

  /** The node of a path that somebody has open: the kernel has a name for it no more, the library goes by the path. */
  openAt(path: string): NodeId | undefined {
    return this.#paths.get(path)?.id;
  }

  remove(number: number): OpenFile | undefined {
    const file = this.#files.get(number);
    if (!file) return undefined;
    this.#files.delete(number);
    const { count = 1 } = this.#paths.get(file.path) ?? {};
    if (count > 1) this.#paths.set(file.path, { id: file.id, count: count - 1 });
    else this.#paths.delete(file.path);
    return file;
  }

  #advance(): void {
    this.#next = (this.#next + 1) % NUMBER_LIMIT || 1;
  }
}
