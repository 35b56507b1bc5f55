import { constants } from 'node:fs';
import type { Machine } from '../container/machine.ts';
import { make } from '../container/make.ts';
import { remove } from '../container/destroy.ts';
import { rename } from '../container/rename.ts';
import { recordRefusal } from '../container/refusal.ts';
import { hide } from '../container/registry.ts';
import type { Container } from '../container/container.ts';
import { FsError } from '../errno.ts';
import { pidFor } from '../proc/pid-view.ts';
import { now } from '../time.ts';
import type { ControlEntry } from './control/entry.ts';
import { isAsking, nsKinds } from './control/ns.ts';
import { entryNamed, NS_DIRECTORY } from './control/table.ts';
import { EventStreams } from './event-streams.ts';
import { isHideable } from './fast-tree.ts';
import {
  O_ACCMODE,
  S_IFDIR,
  S_IFMT,
  S_IFREG,
  type Attr,
  type AttrChanges,
  type Created,
  type Entry,
  type Filesystem,
  type Opened,
  type Place,
  type Request,
  type TreeListener,
} from './filesystem.ts';
import { directoryId, entryOf, nodeId, serialOf, type NodeId } from './node-id.ts';
import { SlowTexts } from './slow-texts.ts';
import { checkLength, controlAttr, directoryAttr, View, type Directory, type Node } from './view.ts';

/** Bytes one write to a control entry may have. */
const WRITE_LIMIT_BYTES = 4096;

/** Files open for writing, or open while they say nothing: more are refused with ENFILE. */
const PLAIN_HANDLES_LIMIT = 65_536;

/** The whole tree: what every adapter serves, and what the serving thread leaves to the main one. */
export class Tree implements Filesystem {
  readonly view: View;
  readonly #machine: Machine;
  readonly #texts = new SlowTexts();
  readonly #streams: EventStreams;
  /** Handles that carry no text of their own, by the node they were opened on. */
  readonly #plain = new Map<number, NodeId>();
  #nextHandle: number;

  /** Handles given are `firstHandle`, `firstHandle + 2`, …, never one that a former daemon gave. */
  constructor(machine: Machine, listener: TreeListener, firstHandle: number) {
    this.#machine = machine;
    this.view = new View(machine.store.registry);
    this.#streams = new EventStreams(machine.events, (wake) => {
      listener.wake(wake);
    });
    this.#nextHandle = firstHandle;
  }

  lookup(_request: Request, parent: NodeId, name: string): Entry {
    return this.view.lookup(parent, name);
  }

  async getattr(request: Request, id: NodeId): Promise<Attr> {
    if (!this.#machine.store.registry.get(serialOf(id))) return this.view.removedAttr(id);
    const { container, control } = this.view.node(id);
    if (!control) return directoryAttr(container);
    if (this.view.resolves(container, control)) return await this.#controlAttr(request, { container, control });
    for (const open of this.#plain.values()) if (open === id) return silentAttr(container, control);
    throw new FsError('ENOENT', `${control.name} has nothing to say`);
  }

  async setattr(request: Request, id: NodeId, changes: AttrChanges): Promise<Attr> {
    const { container, control } = this.view.node(id);
    // Archivers set owner, mode and times of all they write, and take a refusal for a failure: accepted, without effect.
    if (control) return silentAttr(container, control);
    const { mode, size: _size, ...rest } = changes;
    const bits = mode === undefined ? {} : { mode: mode & ~S_IFMT };
    this.#machine.store.commit([{ op: 'attr', serial: container.serial, ...rest, ...bits, at: now() }], request.unique);
    return await this.getattr(request, id);
  }

  readlink(request: Request, id: NodeId): string {
    const node = this.view.node(id);
    const target = this.view.resolves(node.container, node.control ?? missing())
      ? this.#target(request, node)
      : undefined;
    if (target === undefined) throw new FsError('ENOENT', 'this link leads nowhere for you');
    return target;
  }

  mkdir(request: Request, parent: NodeId, name: string, mode: number): Entry {
    const directory = this.view.directory(parent);
    checkLength(name);
    if (name === '.ns' && !directory.withinNs) return this.#makeNs(request, directory.container);
    if (directory.withinNs) throw new FsError('EPERM', '.ns holds links only; touch .ns/KIND asks for a namespace');
    const made = make(this.#machine, directory.container, name, mode, request);
    return { attr: directoryAttr(made), cacheable: true };
  }

  mknod(request: Request, parent: NodeId, name: string, mode: number): Entry {
    const { container, control } = this.#creatable(request, parent, name, mode);
    return { attr: silentAttr(container, control), cacheable: false };
  }

  async create(request: Request, parent: NodeId, name: string, _mode: number, flags: number): Promise<Created> {
    const { container, control } = this.#creatable(request, parent, name, S_IFREG);
    const opened = await this.open(request, nodeId(container.serial, control.entry), flags | constants.O_CREAT);
    return { ...opened, entry: { attr: silentAttr(container, control), cacheable: false } };
  }

  symlink(_request: Request, parent: NodeId, name: string, _target: string): Entry {
    this.#refuseOther(parent, name);
  }

  link(_request: Request, _id: NodeId, parent: NodeId, name: string): Entry {
    this.#refuseOther(parent, name);
  }

  async unlink(request: Request, parent: NodeId, name: string): Promise<undefined> {
    const directory = this.view.directory(parent);
    const { container } = directory;
    const control = entryNamed(name, directory.withinNs);
    if (!directory.withinNs && container.children.has(name)) throw new FsError('EISDIR', `${name} is a container`);
    if (!control || !this.view.resolves(container, control)) {
      if (control && request.resent) return;
      throw new FsError('ENOENT', `there is no ${JSON.stringify(name)}`);
    }
    if (isAsking(container) && directory.withinNs) this.#want(request, container, name, false);
    else if (control.report) {
      this.#machine.store.commit([{ op: 'clear', serial: container.serial, what: control.report }], request.unique);
    } else if (isHideable(control)) hide(container, 1 << control.entry, Date.now());
    return Promise.resolve(undefined);
  }

  async rmdir(request: Request, parent: NodeId, name: string): Promise<undefined> {
    const { store } = this.#machine;
    if (request.resent && store.wasDone(request.unique)) return;
    const directory = this.view.directory(parent);
    checkLength(name);
    const control = this.view.control(directory, name);
    if (control?.entry === NS_DIRECTORY) {
      this.#removeNs(request, directory.container);
      return;
    }
    const child = directory.withinNs ? undefined : directory.container.children.get(name);
    if (!child) throw new FsError('ENOENT', `there is no ${JSON.stringify(name)}`);
    await this.#reporting(child, () => remove(this.#machine, child, request, () => this.view.isEmpty(child)));
  }

  async rename(request: Request, from: Place, to: Place, flags: number): Promise<undefined> {
    if (request.resent && this.#machine.store.wasDone(request.unique)) return;
    const [source, target] = [this.view.directory(from.parent), this.view.directory(to.parent)];
    checkLength(to.name);
    const moved = source.withinNs ? undefined : source.container.children.get(from.name);
    if (!moved || target.withinNs) {
      if (moved || this.view.control(source, from.name)) {
        throw new FsError('EPERM', 'control entries keep their names and places');
      }
      throw new FsError('ENOENT', `there is no ${JSON.stringify(from.name)}`);
    }
    await this.#reporting(moved, () =>
      rename(this.#machine, moved, { parent: target.container, name: to.name, flags }, request, (replaced) =>
        this.view.isEmpty(replaced),
      ),
    );
  }

  async open(request: Request, id: NodeId, flags: number): Promise<Opened> {
    const { container, control } = this.view.node(id);
    if (!control) throw new FsError('EISDIR', 'a container is a directory');
    const handle = this.#nextHandle;
    this.#nextHandle += 2;
    const reads = (flags & O_ACCMODE) !== constants.O_WRONLY;
    const speaks = this.view.resolves(container, control);
    if (!speaks && (flags & constants.O_CREAT) === 0) throw new FsError('ENOENT', `${control.name} has nothing to say`);
    if (reads && speaks) await this.#openText(request, { container, control }, handle);
    if (!reads || (flags & O_ACCMODE) === constants.O_RDWR || !speaks) this.#openPlain(handle, id);
    return { handle, noFlush: (flags & O_ACCMODE) === constants.O_RDONLY };
  }

  async read(request: Request, id: NodeId, handle: number, offset: number, size: number): Promise<Uint8Array> {
    const { container, control } = this.view.node(id);
    if (control?.name === '.events') return this.#streams.read(handle, container.serial, offset, size);
    const bytes = this.#texts.read(handle, offset, size);
    if (bytes) return bytes;
    if (this.#plain.has(handle) || !control) return new Uint8Array(0);
    // A handle of a former daemon: the file is made anew and bound to it.
    await this.#openText(request, { container, control }, handle);
    return this.#texts.read(handle, offset, size) ?? new Uint8Array(0);
  }

  async write(request: Request, id: NodeId, _handle: number, _offset: number, data: Uint8Array): Promise<number> {
    const { container, control } = this.view.node(id);
    if (request.resent && this.#machine.store.wasDone(request.unique)) return data.length;
    if (!control) throw new FsError('EISDIR', 'a container is a directory');
    await this.#reporting(container, async () => {
      const text = commandText(control, data);
      if (!control.write) throw new FsError('EINVAL', `${control.name} cannot be written`);
      await control.write(this.#machine, container, request, text);
    });
    return data.length;
  }

  flush(): undefined {
    return undefined;
  }

  release(_request: Request, _id: NodeId, handle: number): undefined {
    this.#plain.delete(handle);
    this.#streams.release(handle);
    this.#texts.release(handle);
    return undefined;
  }

  readdir(_request: Request, id: NodeId, cookie: number) {
    return this.view.readdir(id, cookie);
  }

  statfs() {
    return this.view.statfs();
  }

  poll(_request: Request, id: NodeId, handle: number, events: number, wake: number | undefined): number {
    const { container, control } = this.view.node(id);
    if (control?.name !== '.events') return events & POLL_READY;
    return events & this.#streams.poll(handle, container.serial, wake);
  }

  async #controlAttr(request: Request, node: Node & { control: ControlEntry }): Promise<Attr> {
    const { container, control } = node;
    const mode = control.mode(container);
    const size = (bytes: string) => Buffer.byteLength(bytes);
    if ((mode & S_IFMT) === S_IFDIR || ((mode & S_IFMT) === S_IFREG && control.below !== undefined)) {
      return controlAttr(container, control, 0);
    }
    if (control.name === '.events') return controlAttr(container, control, this.#streams.size(container.serial));
    if (control.text) return controlAttr(container, control, size(control.text(container)));
    if (control.produce) {
      const id = nodeId(container.serial, control.entry);
      const { text, nlink } = await this.#texts.stat(id, request.caller.pid, () => this.#produce(request, node));
      return controlAttr(container, control, size(text), nlink);
    }
    const target = this.#target(request, node);
    if (target === undefined) throw new FsError('ENOENT', `${control.name} leads nowhere for you`);
    return controlAttr(container, control, size(target));
  }

  #target(request: Request, { container, control }: Node): string | undefined {
    const machine = this.#machine;
    if (control?.target) return control.target(container, machine);
    if (control?.resolve) return control.resolve(machine, container, request);
    if (control?.below === undefined || !container.init) return undefined;
    const pid = pidFor(machine, request.caller.pid, container.init.pid);
    return pid === undefined ? undefined : `/proc/${pid}${control.below}`;
  }

  async #produce(request: Request, { container, control }: Node) {
    if (control?.text) return { text: control.text(container) };
    if (!control?.produce) return { text: '' };
    return await control.produce(this.#machine, container, request);
  }

  async #openText(request: Request, { container, control }: Node & { control: ControlEntry }, handle: number) {
    if (control.name === '.events') {
      this.#streams.open(handle, container.serial);
      return;
    }
    const id = nodeId(container.serial, control.entry);
    await this.#texts.open(handle, id, request.caller.pid, () => this.#produce(request, { container, control }));
  }

  #openPlain(handle: number, id: NodeId): void {
    if (this.#plain.size >= PLAIN_HANDLES_LIMIT) {
      throw new FsError('ENFILE', `${PLAIN_HANDLES_LIMIT} control entries are open for writing already; close some`);
    }
    this.#plain.set(handle, id);
  }

  /** The control entry that a regular file of this name would be; throws the errno of mknod(2) for any other. */
  #creatable(request: Request, parent: NodeId, name: string, mode: number): Node & { control: ControlEntry } {
    const directory = this.view.directory(parent);
    const control = entryNamed(name, directory.withinNs);
    const type = mode & S_IFMT;
    if (!control || (type !== S_IFREG && type !== 0)) this.#refuseOther(parent, name);
    const { container } = directory;
    if (directory.withinNs) this.#want(request, container, name, true);
    else if ((control.mode(container) & S_IFMT) !== S_IFREG) this.#refuseOther(parent, name);
    return { container, control };
  }

  #refuseOther(parent: NodeId, name: string): never {
    const directory = this.view.directory(parent);
    checkLength(name);
    if (this.view.control(directory, name) || (!directory.withinNs && directory.container.children.has(name))) {
      throw new FsError('EEXIST', `${JSON.stringify(name)} is there already`);
    }
    throw new FsError('EPERM', 'only containers (mkdir) and control entries live here');
  }

  #makeNs(request: Request, container: Container): Entry {
    const node = this.view.control({ container, withinNs: false }, '.ns');
    if (node && !request.resent) throw new FsError('EEXIST', '.ns is there already');
    if (container.phase === 'declared' && container.kinds === undefined) {
      this.#machine.store.commit([{ op: 'want', serial: container.serial, kinds: [] }], request.unique);
    }
    const control = entryNamed('.ns', false) ?? missing();
    return { attr: controlAttr(container, control, 0), cacheable: false };
  }

  #removeNs(request: Request, container: Container): void {
    const control = entryNamed('.ns', false) ?? missing();
    const id = nodeId(container.serial, control.entry);
    if (!this.view.readdir(id, 0).next().done) throw new FsError('ENOTEMPTY', '.ns has entries');
    if (isAsking(container)) {
      this.#machine.store.commit([{ op: 'want', serial: container.serial, kinds: undefined }], request.unique);
    } else hide(container, 1 << control.entry, Date.now());
  }

  #want(request: Request, container: Container, kind: string, wanted: boolean): void {
    if (!isAsking(container)) throw new FsError('EPERM', 'namespaces are chosen before the first start');
    const others = (container.kinds ?? []).filter((other) => other !== kind);
    const asked = nsKinds.filter((row) => row.kind === kind && wanted).map((row) => row.kind);
    const kinds = [...others, ...asked];
    this.#machine.store.commit([{ op: 'want', serial: container.serial, kinds }], request.unique);
  }

  /** Runs `body`; if it is refused for a reason that names alone do not tell, the reason goes to `.error`. */
  async #reporting<T>(container: Container, body: () => Promise<T>): Promise<T> {
    try {
      return await body();
    } catch (error) {
      recordRefusal(this.#machine, container, error);
      throw error;
    }
  }
}

/** poll(2) of a file that never waits: POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM. */
const POLL_READY = 0x145;

/** Attributes of a control entry that has nothing to say, for who has it open. */
function silentAttr(container: Container, control: ControlEntry): Attr {
  return controlAttr(container, control, 0);
}

function commandText(control: ControlEntry, data: Uint8Array): string {
  if (data.length > WRITE_LIMIT_BYTES) {
    throw new FsError('EINVAL', `Cannot write ${data.length} bytes to ${control.name}: at most ${WRITE_LIMIT_BYTES}`);
  }
  return Buffer.from(data).toString('utf8').trim();
}

function missing(): never {
  throw new FsError('EIO', 'a control entry is missing from its table');
}

export { directoryId, entryOf, type Directory };
