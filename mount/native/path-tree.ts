import { constants } from 'node:fs';
import { FsError } from '../../src/errno.ts';
import { NAME_MAX_BYTES } from '../../src/ids.ts';
import {
  O_ACCMODE,
  S_IFDIR,
  type Attr,
  type AttrChanges,
  type Caller,
  type DirEntry,
  type Filesystem,
  type Place,
  type Request,
  type Statfs,
} from '../../src/tree/filesystem.ts';
import { ROOT_ID, type NodeId } from '../../src/tree/node-id.ts';
import { Handles } from './handles.ts';

const { O_CREAT, O_WRONLY } = constants;

/** Permission to read, of anybody (inode(7)). */
const READABLE = 0o444;

/** A name in a listing, with what it is. */
export interface Listed {
  readonly name: string;
  readonly attr: Pick<Attr, 'id' | 'mode'>;
}

/**
 * The tree by paths, as the library asks for it: each is walked down from the root by lookups. Node ids are computed and
 * nothing is counted for them, so there is nothing to forget afterwards. Every request is the one caller's. Every method
 * throws FsError.
 */
export class PathTree {
  readonly #tree: Filesystem;
  readonly #caller: Caller;
  readonly #handles = new Handles();
  #unique: number;

  /** Requests get the numbers `firstUnique`, `firstUnique + 1`, …, never one of a former daemon's. */
  constructor(tree: Filesystem, caller: Caller, firstUnique: number) {
    this.#tree = tree;
    this.#caller = caller;
    this.#unique = firstUnique;
  }

  async getattr(path: string): Promise<Attr> {
    const request = this.#request();
    const attr = await this.#tree.getattr(request, await this.#walk(request, path));
    // It is open, but has no name: this may be a lookup.
    if (attr.nlink === 0) throw new FsError('ENOENT', 'what was here has no name any more');
    return attr;
  }

  async fgetattr(path: string, number: number): Promise<Attr> {
    if (number === 0) return await this.getattr(path);
    return await this.#tree.getattr(this.#request(), this.#handles.get(number).id);
  }

  async setattr(path: string, changes: AttrChanges): Promise<void> {
    const request = this.#request();
    await this.#tree.setattr(request, await this.#walk(request, path), changes);
  }

  async readlink(path: string): Promise<string> {
    const request = this.#request();
    return await this.#tree.readlink(request, await this.#walk(request, path));
  }

  async mkdir(path: string, mode: number): Promise<void> {
    await this.#at(path, (request, { parent, name }) => this.#tree.mkdir(request, parent, name, mode));
  }

  async mknod(path: string, mode: number): Promise<void> {
    await this.#at(path, (request, { parent, name }) => this.#tree.mknod(request, parent, name, mode));
  }

  async symlink(target: string, path: string): Promise<void> {
    await this.#at(path, (request, { parent, name }) => this.#tree.symlink(request, parent, name, target));
  }

  async link(from: string, path: string): Promise<void> {
    await this.#at(path, async (request, { parent, name }) =>
      this.#tree.link(request, await this.#walk(request, from), parent, name),
    );
  }

  async unlink(path: string): Promise<void> {
    await this.#at(path, (request, { parent, name }) => this.#tree.unlink(request, parent, name));
  }

  async rmdir(path: string): Promise<void> {
    await this.#at(path, (request, { parent, name }) => this.#tree.rmdir(request, parent, name));
  }

  async rename(from: string, to: string): Promise<void> {
    await this.#at(to, async (request, place) =>
      this.#tree.rename(request, await this.#place(request, from), place, 0),
    );
  }

  /** The number the library is to know the open file by. */
  async open(path: string, flags: number): Promise<number> {
    const request = this.#request();
    const id = await this.#walk(request, path);
    await this.#refuseUnreadable(request, id, flags);
    const { handle } = await this.#tree.open(request, id, flags);
    return this.#handles.add({ id, handle, path });
  }

  /** The library does not say whether it is to be read too: what was just made says nothing anyway. */
  async create(path: string, mode: number): Promise<number> {
    return await this.#at(path, async (request, { parent, name }) => {
      const created = await this.#tree.create(request, parent, name, mode, O_WRONLY | O_CREAT);
      return this.#handles.add({ id: created.entry.attr.id, handle: created.handle, path });
    });
  }

  async read(number: number, offset: number, size: number): Promise<Uint8Array> {
    const { id, handle } = this.#handles.get(number);
    return await this.#tree.read(this.#request(), id, handle, offset, size);
  }

  async write(number: number, offset: number, data: Uint8Array): Promise<number> {
    const { id, handle } = this.#handles.get(number);
    return await this.#tree.write(this.#request(), id, handle, offset, data);
  }

  async flush(number: number): Promise<void> {
    const { id, handle } = this.#handles.get(number);
    await this.#tree.flush(this.#request(), id, handle);
  }

  async release(number: number): Promise<void> {
    const file = this.#handles.remove(number);
    if (file) await this.#tree.release(this.#request(), file.id, file.handle);
  }

  async readdir(path: string): Promise<Listed[]> {
    const request = this.#request();
    const id = await this.#walk(request, path);
    const entries: Iterable<DirEntry> = await this.#tree.readdir(request, id, 0);
    const dots = ['.', '..'].map((name) => ({ name, attr: { id, mode: S_IFDIR } }));
    return [...dots, ...Array.from(entries, ({ name, entry }) => ({ name, attr: entry.attr }))];
  }

  async statfs(): Promise<Statfs> {
    return await this.#tree.statfs(this.#request(), ROOT_ID);
  }

  #request(): Request {
    const unique = this.#unique;
    this.#unique += 1;
    return { caller: this.#caller, unique, resent: false };
  }

  /**
   * What nobody has permission to read, root does not read here either: `cp -a` of a running container then fails at its
   * `.signal`. Who copies cannot be told from who looks, so there are no images in the copy, and `mv` must not take it for
   * one.
   */
  async #refuseUnreadable(request: Request, id: NodeId, flags: number): Promise<void> {
    if ((flags & O_ACCMODE) === O_WRONLY) return;
    const { mode } = await this.#tree.getattr(request, id);
    if ((mode & READABLE) === 0) throw new FsError('EACCES', 'this is only for writing');
  }

  async #at<T>(path: string, work: (request: Request, place: Place) => T | Promise<T>): Promise<T> {
    const request = this.#request();
    return await work(request, await this.#place(request, path));
  }

  async #place(request: Request, path: string): Promise<Place> {
    const slash = path.lastIndexOf('/');
    return { parent: await this.#walk(request, path.slice(0, slash)), name: nameIn(path.slice(slash + 1)) };
  }

  /** A path that does not resolve any more, and that somebody has open, is that file. Throws what a lookup does. */
  async #walk(request: Request, path: string): Promise<NodeId> {
    try {
      let id = ROOT_ID;
      for (const name of path.split('/')) {
        if (name !== '') id = (await this.#tree.lookup(request, id, nameIn(name))).attr.id;
      }
      return id;
    } catch (error) {
      const open = error instanceof FsError && error.errno === 'ENOENT' ? this.#handles.openAt(path) : undefined;
      if (open === undefined) throw error;
      return open;
    }
  }
}

/** What stands for a byte that is not UTF-8, in what the library gives. No name has it. */
const REPLACEMENT = '\u{FFFD}';

/** A name as the tree is to see it: not too long only because bytes were replaced by what takes three. */
function nameIn(part: string): string {
  if (!part.includes(REPLACEMENT)) return part;
  const shortest = part.replaceAll(REPLACEMENT, '?');
  return Buffer.byteLength(shortest) > NAME_MAX_BYTES ? part : REPLACEMENT;
}
