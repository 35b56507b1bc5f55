import { constants } from 'node:fs';
import type { Container } from '../container/container.ts';
import { remove } from '../container/destroy.ts';
import type { Machine } from '../container/machine.ts';
import { recordQuota, recordRefusal, TOLD_BY_ERRNO } from '../container/refusal.ts';
import { hide } from '../container/hiding.ts';
import { rename } from '../container/rename.ts';
import { FsError, type Errno } from '../errno.ts';
import { now } from '../time.ts';
import { isArchiver } from './archivers.ts';
import { BundleLinks } from './bundle-links.ts';
import { ControlFiles, silentAttr, type ControlNode } from './control-files.ts';
import { bundle, isRemovable } from './control/bundle.ts';
import { isAsking, ns } from './control/ns.ts';
import { nsproxy } from './control/nsproxy.ts';
import { proxy } from './control/proxy.ts';
import { entryNamed } from './control/table.ts';
import {
  NOW,
  S_IFMT,
  type Answer,
  type Attr,
  type AttrChanges,
  type Created,
  type DirEntry,
  type Entry,
  type Filesystem,
  type Opened,
  type Place,
  type Request,
  type TreeListener,
} from './filesystem.ts';
import { isSeenByLinker } from './linking.ts';
import { nodeId, serialOf, type NodeId } from './node-id.ts';
import { NewNames } from './new-names.ts';
import { endWishes, wish } from './ns-wishes.ts';
import { ProxyDirectory } from './proxy-directory.ts';
import { isProxyId } from './proxy-id.ts';
import { isWaitingId } from './waiting-bundles.ts';
import { checkLength, controlAttr, directoryAttr, hasUnlinked, View } from './view.ts';

/** RENAME_EXCHANGE (rename(2)). */
const EXCHANGE = 2;

/** The whole tree: what every adapter serves, and what the serving thread leaves to the main one. */
export class Tree implements Filesystem {
  readonly #machine: Machine;
  readonly #view: View;
  readonly #files: ControlFiles;
  readonly #proxy: ProxyDirectory;
  readonly #bundles: BundleLinks;
  readonly #names: NewNames;
  readonly #listener: TreeListener;

  /** Handles given are `firstHandle`, `firstHandle + 2`, …, never one that a former daemon gave. */
  constructor(machine: Machine, listener: TreeListener, firstHandle: number) {
    this.#machine = machine;
    this.#view = new View(machine.store.registry);
    this.#proxy = new ProxyDirectory(machine);
    this.#bundles = new BundleLinks(machine, this.#view);
    this.#names = new NewNames({ machine, view: this.#view, proxy: this.#proxy, bundles: this.#bundles });
    this.#listener = listener;
    const onWake = (wake: number) => {
      listener.wake(wake);
    };
    this.#files = new ControlFiles(machine, this.#view, onWake, firstHandle);
  }

  lookup(request: Request, parent: NodeId, name: string): Answer<Entry> {
    const { container, within } = this.#view.directory(parent);
    checkLength(name);
    if (within === proxy) return this.#proxy.lookup(request, container, name);
    const waiting = within ? undefined : this.#bundles.waiting.lookup(container, name);
    if (waiting) return waiting;
    if (!within && name === nsproxy.name && isSeenByLinker(this.#machine.files, container, request.caller.pid)) {
      return { attr: controlAttr(container, nsproxy, 0), cacheable: false, fleeting: true };
    }
    return this.#view.lookup(parent, name);
  }

  async getattr(request: Request, id: NodeId): Promise<Attr> {
    if (isProxyId(id)) return this.#proxy.attr(id);
    if (isWaitingId(id)) return this.#bundles.waiting.attr(id);
    if (!this.#machine.store.registry.get(serialOf(id))) {
      return this.#view.removedAttr(id, this.#files.removedSize(request, id));
    }
    const { container, control } = this.#view.node(id);
    return control ? await this.#files.attr(request, { container, control }) : directoryAttr(container);
  }

  setattr(request: Request, id: NodeId, changes: AttrChanges): Attr {
    if (isProxyId(id)) return this.#proxy.attr(id);
    if (isWaitingId(id)) return this.#bundles.waiting.attr(id);
    const { container, control } = this.#view.node(id);
    // Archivers set owner, mode and times of all they write, and take a refusal for a failure: accepted, without effect.
    if (control) return silentAttr({ container, control });
    const { mode, size: _size, atime, mtime, ...rest } = changes;
    const at = now();
    const bits = mode === undefined ? {} : { mode: mode & ~S_IFMT };
    const times = {
      ...(atime && { atime: atime === NOW ? at : atime }),
      ...(mtime && { mtime: mtime === NOW ? at : mtime }),
    };
    this.#machine.store.commit(
      [{ op: 'attr', serial: container.serial, ...rest, ...bits, ...times, at }],
      request.unique,
    );
    return directoryAttr(container);
  }

  readlink(request: Request, id: NodeId): string {
    if (isProxyId(id)) return this.#proxy.target(id);
    if (isWaitingId(id)) return this.#bundles.waiting.text(id);
    return this.#files.target(request, this.#control(id));
  }

  mkdir(request: Request, parent: NodeId, name: string, mode: number): Entry {
    return this.#names.mkdir(request, parent, name, mode);
  }

  mknod(request: Request, parent: NodeId, name: string, mode: number): Entry {
    return this.#names.mknod(request, parent, name, mode);
  }

  async create(request: Request, parent: NodeId, name: string, _mode: number, flags: number): Promise<Created> {
    const { node, entry } = this.#names.create(request, parent, name);
    const opened = await this.#open(request, node, flags | constants.O_CREAT);
    return { ...opened, entry: entry() };
  }

  symlink(request: Request, parent: NodeId, name: string, target: string): Answer<Entry> {
    return this.#names.symlink(request, parent, name, target);
  }

  link(request: Request, id: NodeId, parent: NodeId, name: string): Answer<Entry> {
    return this.#names.link(request, id, parent, name);
  }

  unlink(request: Request, parent: NodeId, name: string): Answer<undefined> {
    const directory = this.#view.directory(parent);
    const { container, within } = directory;
    if (within === proxy) return this.#proxy.unlink(request, container, name);
    const control = entryNamed(name, within);
    if (!within && container.children.has(name)) throw new FsError('EISDIR', `${name} is a container; use rmdir`);
    if (!within && this.#bundles.waiting.take(container, name) !== undefined) return undefined;
    if (!control || !this.#view.resolves(container, control)) {
      if (control && request.resent) return undefined;
      throw new FsError('ENOENT', `there is no ${JSON.stringify(name)}`);
    }
    if (control === bundle && isRemovable(container)) this.#bundles.set(request, container, undefined);
    else if (within && isAsking(container)) wish(this.#machine, container, request, name, false);
    else if (!control.report) this.#hide(container, control.entry);
    else this.#machine.store.commit([{ op: 'clear', serial: container.serial, what: control.report }], request.unique);
    return undefined;
  }

  async rmdir(request: Request, parent: NodeId, name: string): Promise<undefined> {
    if (this.#wasDone(request)) return;
    const directory = this.#view.directory(parent);
    checkLength(name);
    const control = this.#view.control(directory, name);
    if (control === proxy) throw new FsError('EBUSY', '.proxy is always there');
    if (control === ns) {
      this.#removeNs(request, directory.container);
      return;
    }
    if (request.resent && name === ns.name && ns.present(directory.container)) return;
    const child = directory.within ? undefined : directory.container.children.get(name);
    if (!child) throw new FsError('ENOENT', `there is no ${JSON.stringify(name)}`);
    const leftIn = () => this.#view.leftIn(child);
    await this.#reporting(request, child, () => remove(this.#machine, child, request, leftIn), TOLD_BY_ERRNO);
  }

  async rename(request: Request, from: Place, to: Place, flags: number): Promise<undefined> {
    if (this.#wasDone(request)) return;
    const [source, target] = [this.#view.directory(from.parent), this.#view.directory(to.parent)];
    checkLength(to.name);
    if (
      source.within === proxy &&
      target.within === proxy &&
      source.container === target.container &&
      flags !== EXCHANGE
    ) {
      await this.#proxy.rename(request, source.container, from.name, to.name, flags);
      return;
    }
    if (!source.within && !target.within && source.container === target.container && to.name === bundle.name) {
      if (this.#bundles.replace(request, source.container, from.name)) return;
    }
    const moved = source.within ? undefined : source.container.children.get(from.name);
    if (!moved && !this.#view.control(source, from.name)) {
      throw new FsError('ENOENT', `there is no ${JSON.stringify(from.name)}`);
    }
    if (!moved || target.within) throw new FsError('EPERM', 'control entries keep their names and places');
    const isEmpty = (replaced: Container) => this.#view.isEmpty(replaced);
    const place = { parent: target.container, name: to.name, flags };
    await this.#reporting(request, moved, () => rename(this.#machine, moved, place, request, isEmpty), TOLD_BY_ERRNO);
  }

  async open(request: Request, id: NodeId, flags: number): Promise<Opened> {
    return await this.#open(request, this.#control(id), flags);
  }

  async #open(request: Request, node: ControlNode, flags: number): Promise<Opened> {
    try {
      return await this.#files.open(request, node, flags);
    } catch (error) {
      recordQuota(this.#machine, node.container, error, request.caller);
      throw error;
    }
  }

  async read(request: Request, id: NodeId, handle: number, offset: number, size: number): Promise<Uint8Array> {
    const held = this.#files.readOpen(handle, offset, size) ?? this.#files.readGone(request, id, handle, offset, size);
    return held ?? (await this.#files.read(request, this.#control(id), handle, offset, size));
  }

  async write(request: Request, id: NodeId, handle: number, _offset: number, data: Uint8Array): Promise<number> {
    const node = this.#control(id);
    if (!this.#wasDone(request)) {
      await this.#reporting(request, node.container, () => this.#files.write(request, node, handle, data), ['EINTR']);
    }
    return data.length;
  }

  flush(): undefined {
    return undefined;
  }

  release(_request: Request, _id: NodeId, handle: number): undefined {
    this.#files.release(handle);
  }

  async readdir(request: Request, id: NodeId, cookie: number): Promise<Iterable<DirEntry>> {
    const { container, within } = this.#view.directory(id);
    if (!within && hasUnlinked(container)) {
      this.#listener.directoryChanged(id);
      return this.#view.readdir(id, cookie, await isArchiver(request.caller.pid));
    }
    if (within !== proxy) return this.#view.readdir(id, cookie);
    // Processes end without a word, and other readers have other pids: the kernel must not keep what lists any.
    if (!this.#proxy.isQuiet(container)) this.#listener.directoryChanged(id);
    this.#listener.listed?.(id);
    return this.#proxy.readdir(request, container, cookie);
  }

  statfs() {
    return this.#view.statfs();
  }

  poll(request: Request, id: NodeId, handle: number, events: number, wake: number | undefined): number {
    return (
      this.#files.pollOpen(handle, events, wake) ??
      this.#files.pollGone(request, id, handle, events, wake) ??
      this.#files.poll(request, this.#control(id), handle, events, wake)
    );
  }

  /** Throws EISDIR for a container's own directory. */
  #control(id: NodeId): ControlNode {
    const { container, control } = this.#view.node(id);
    if (!control) throw new FsError('EISDIR', 'a container is a directory');
    return { container, control };
  }

  #removeNs(request: Request, container: Container): void {
    const [entry] = this.#view.readdir(nodeId(container.serial, ns.entry), 0);
    if (entry) throw new FsError('ENOTEMPTY', '.ns has entries');
    if (isAsking(container)) endWishes(this.#machine, container, request);
    else this.#hide(container, ns.entry);
  }

  #hide(container: Container, entry: number): void {
    const at = Date.now();
    hide(container, 1 << entry, at);
    this.#listener.hidden?.(container.serial, 1 << entry, at);
  }

  /** Whether this request was carried out already, by a daemon that died before it could say so. */
  #wasDone(request: Request): boolean {
    return request.resent && this.#machine.store.wasDone(request.unique);
  }

  /** Runs `body`; if it is refused, the reason goes to `.error`, unless its errno is in `silent`. */
  async #reporting<T>(
    { caller }: Request,
    container: Container,
    body: () => Promise<T>,
    silent?: readonly Errno[],
  ): Promise<T> {
    try {
      return await body();
    } catch (error) {
      recordRefusal(this.#machine, container, error, caller, silent);
      throw error;
    }
  }
}
