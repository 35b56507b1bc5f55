import { constants } from 'node:fs';
import { FsError } from '../../src/errno.ts';
import type { Serial } from '../../src/ids.ts';
import type { TreeListener } from '../../src/tree/filesystem.ts';
import { entryNamed, entryNumbered } from '../../src/tree/control/table.ts';
import { directoryId, nodeId, type NodeId } from '../../src/tree/node-id.ts';
import { Tree } from '../../src/tree/tree.ts';
import { FakeMachine } from './fake-machine.ts';

/** A tree over a fake machine, spoken to as a shell would: by paths, `.state` and `.ns/net` included. */
export class FakeTree extends FakeMachine {
  readonly woken: number[] = [];
  /** What the tree said that it hid: of which container, and which bits. */
  readonly hidden: [serial: Serial, bits: number][] = [];
  readonly tree: Tree = this.daemon();

  /** Another daemon's tree of the same machine. */
  daemon(firstHandle = 2): Tree {
    const listener: TreeListener = {
      directoryChanged: () => undefined,
      wake: (wake) => this.woken.push(wake),
      hidden: (serial, bits) => this.hidden.push([serial, bits]),
    };
    return new Tree(this, listener, firstHandle);
  }

  /** The id of a directory or a control entry, whether it has something to say or not. '' is the root. */
  id(path: string): NodeId {
    let [container, control] = [this.store.registry.root, 0];
    for (const name of path.split('/').filter(Boolean)) {
      const child = container.children.get(name);
      if (child) container = child;
      else control = entryNamed(name, control === 0 ? undefined : entryNumbered(control))?.entry ?? missing(path);
    }
    return control === 0 ? directoryId(container.serial) : nodeId(container.serial, control);
  }

  /** Parent's id and last name of a path. */
  place(path: string): { parent: NodeId; name: string } {
    const at = path.lastIndexOf('/');
    return { parent: this.id(path.slice(0, Math.max(at, 0))), name: path.slice(at + 1) };
  }

  mkdir(path: string, request = this.request(), mode = 0o755) {
    const { parent, name } = this.place(path);
    return this.tree.mkdir(request, parent, name, mode);
  }

  async rmdir(path: string, request = this.request()): Promise<void> {
    const { parent, name } = this.place(path);
    await this.tree.rmdir(request, parent, name);
  }

  unlink(path: string, request = this.request()): void {
    const { parent, name } = this.place(path);
    const answer = this.tree.unlink(request, parent, name);
    if (answer) throw new Error('unlinking a control entry takes no waiting');
  }

  async rename(from: string, to: string, flags = 0, request = this.request()): Promise<void> {
    await this.tree.rename(request, this.place(from), this.place(to), flags);
  }

  /** `touch PATH`. */
  async create(path: string, request = this.request()): Promise<void> {
    const { parent, name } = this.place(path);
    const { handle } = await this.tree.create(request, parent, name, 0o644, constants.O_WRONLY);
    this.tree.release(request, this.id(path), handle);
  }

  /** `echo TEXT > PATH`, of one that exists or of one that has nothing to say yet. */
  async write(path: string, text: string, request = this.request()): Promise<void> {
    const id = this.id(path);
    const { parent, name } = this.place(path);
    const isThere = (await this.ls(path.slice(0, -name.length))).includes(name);
    const { handle } = isThere
      ? await this.tree.open(request, id, constants.O_WRONLY)
      : await this.tree.create(request, parent, name, 0o644, constants.O_WRONLY);
    try {
      await this.tree.write(request, id, handle, 0, Buffer.from(`${text}\n`));
    } finally {
      this.tree.release(request, id, handle);
    }
  }

  /** `cat PATH`. */
  async read(path: string, request = this.request()): Promise<string> {
    const id = this.id(path);
    const { handle } = await this.tree.open(request, id, constants.O_RDONLY);
    try {
      return Buffer.from(await this.tree.read(request, id, handle, 0, 1 << 20)).toString();
    } finally {
      this.tree.release(request, id, handle);
    }
  }

  /** `ls -A PATH`. */
  async ls(path: string): Promise<string[]> {
    return [...(await this.tree.readdir(this.request(), this.id(path), 0))].map(({ name }) => name);
  }
}

/** The errno `action` is refused with; `OK` if it is not. A bug passes. */
export async function errnoOf(action: () => unknown): Promise<string> {
  try {
    await action();
    return 'OK';
  } catch (error) {
    if (error instanceof FsError) return error.errno;
    throw error;
  }
}

function missing(path: string): never {
  throw new Error(`no such name: ${path}`);
}
