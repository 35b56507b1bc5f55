import type { Container } from '../container/container.ts';
import type { Machine } from '../container/machine.ts';
import { make } from '../container/make.ts';
import { recordQuota } from '../container/refusal.ts';
import { FsError } from '../errno.ts';
import type { BundleLinks } from './bundle-links.ts';
import { silentAttr, type ControlNode } from './control-files.ts';
import { bundle } from './control/bundle.ts';
import { ns } from './control/ns.ts';
import { proxy } from './control/proxy.ts';
import { entryNamed } from './control/table.ts';
import { S_IFMT, S_IFREG, type Answer, type Entry, type Request } from './filesystem.ts';
import { entryOf, type NodeId } from './node-id.ts';
import { beginWishes, wish } from './ns-wishes.ts';
import type { ProxyDirectory } from './proxy-directory.ts';
import { checkLength, controlAttr, directoryAttr, type View } from './view.ts';
import { isWaitingName } from './waiting-bundles.ts';

export interface NewNamesOptions {
  readonly machine: Machine;
  readonly view: View;
  readonly proxy: ProxyDirectory;
  readonly bundles: BundleLinks;
}

/** Names that come into a directory: containers, control entries, links. Everything else is EPERM, after what comes first. */
export class NewNames {
  readonly #machine: Machine;
  readonly #view: View;
  readonly #proxy: ProxyDirectory;
  readonly #bundles: BundleLinks;

  constructor({ machine, view, proxy: directory, bundles }: NewNamesOptions) {
    this.#machine = machine;
    this.#view = view;
    this.#proxy = directory;
    this.#bundles = bundles;
  }

  mkdir(request: Request, parent: NodeId, name: string, mode: number): Entry {
    const { container, within } = this.#view.directory(parent);
    checkLength(name);
    if (within) throw new FsError('EPERM', `${within.name} holds links only`);
    if (name === ns.name) return this.#makeNs(request, container);
    try {
      const made = make(this.#machine, container, name, mode, request);
      return { attr: directoryAttr(made), cacheable: true };
    } catch (error) {
      recordQuota(this.#machine, container, error, request.caller);
      throw error;
    }
  }

  mknod(request: Request, parent: NodeId, name: string, mode: number): Entry {
    return this.#created(this.#creatable(request, parent, name, mode));
  }

  /** `entry` is to be asked once the node is open. */
  create(request: Request, parent: NodeId, name: string): { readonly node: ControlNode; entry: () => Entry } {
    const node = this.#creatable(request, parent, name, S_IFREG);
    return { node, entry: () => this.#created(node) };
  }

  symlink(request: Request, parent: NodeId, name: string, target: string): Answer<Entry> {
    const { container, within } = this.#view.directory(parent);
    checkLength(name);
    if (within === proxy) return this.#proxy.symlink(request, container, name, target);
    if (!within && name === bundle.name) return this.#bundles.make(request, container, target);
    const isFree = !within && !container.children.has(name);
    return isFree && isWaitingName(name)
      ? this.#bundles.waiting.make(request, container, name, target)
      : this.#refuseOther(parent, name);
  }

  link(request: Request, id: NodeId, parent: NodeId, name: string): Answer<Entry> {
    const { container, within } = this.#view.directory(parent);
    if (within !== proxy) return this.#refuseOther(parent, name);
    checkLength(name);
    const source = { container: this.#view.node(id).container, entry: entryOf(id) };
    return this.#proxy.link(request, source, container, name);
  }

  /** The control entry that a regular file of this name would be; throws the errno of mknod(2) for any other. */
  #creatable(request: Request, parent: NodeId, name: string, mode: number): ControlNode {
    const { container, within } = this.#view.directory(parent);
    const control = entryNamed(name, within);
    const type = mode & S_IFMT;
    if (!control || (type !== S_IFREG && type !== 0)) return this.#refuseOther(parent, name);
    requireOwner(request, container, name);
    if (container.hidden !== 0) this.#machine.store.commit([{ op: 'reveal', serial: container.serial }]);
    if (within) wish(this.#machine, container, request, name, true);
    else if ((control.mode(container) & S_IFMT) !== S_IFREG) return this.#refuseOther(parent, name);
    return { container, control };
  }

  #created(node: ControlNode): Entry {
    return { attr: silentAttr(node), cacheable: false, fleeting: !this.#view.resolves(node.container, node.control) };
  }

  #refuseOther(parent: NodeId, name: string): never {
    const directory = this.#view.directory(parent);
    checkLength(name);
    if (this.#view.control(directory, name) || (!directory.within && directory.container.children.has(name))) {
      throw new FsError('EEXIST', `${JSON.stringify(name)} is there already`);
    }
    throw new FsError('EPERM', 'only containers (mkdir) and control entries live here');
  }

  #makeNs(request: Request, container: Container): Entry {
    if (this.#view.resolves(container, ns) && !request.resent) throw new FsError('EEXIST', '.ns is there already');
    requireOwner(request, container, ns.name);
    beginWishes(this.#machine, container, request);
    return { attr: controlAttr(container, ns, 0), cacheable: false };
  }
}

/** Commands are the owner's and root's to give, whoever else may write in the directory. Throws EACCES. */
function requireOwner({ caller }: Request, container: Container, name: string): void {
  if (caller.uid === 0 || caller.uid === container.uid) return;
  throw new FsError('EACCES', `${name} is for uid ${container.uid}, who owns the container, and for root to write`);
}
