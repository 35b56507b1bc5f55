import { readlinkSync } from 'node:fs';
import { constants } from 'node:fs';
import { hide } from '../container/hiding.ts';
import type { Pid, Serial } from '../ids.ts';
import { bundle, isRemovable } from './control/bundle.ts';
import type { ControlEntry, Places } from './control/entry.ts';
import { isAsking, ns } from './control/ns.ts';
import { nsproxy } from './control/nsproxy.ts';
import { proxy } from './control/proxy.ts';
import { entryNamed, isSubdirectory } from './control/table.ts';
import {
  ABSENT,
  DEFER,
  O_ACCMODE,
  S_IFMT,
  S_IFREG,
  type Attr,
  type FastFilesystem,
  type Instead,
  type Opened,
  type Request,
} from './filesystem.ts';
import { entryOf, serialOf, type NodeId } from './node-id.ts';
import { OpenNodes } from './open-nodes.ts';
import { PlainHandles } from './plain-handles.ts';
import { isProxyId } from './proxy-id.ts';
import { Shares, type Account } from '../shares.ts';
import { utf8Length } from '../utf8.ts';
import { isWaitingId, isWaitingName } from './waiting-bundles.ts';
import { controlAttr, directoryAttr, type Node, type View } from './view.ts';

/** What the serving thread has besides its replica of the registry. */
export interface FastTreeOptions {
  readonly view: View;
  readonly places: Places;
  /** Handles of this thread are `firstHandle`, `firstHandle + 2`, …: the main thread's are the others. */
  readonly firstHandle: number;
  /** Called with what is unlinked, before it is. What it throws is the answer. */
  readonly onHidden: (serial: Serial, bits: number, atMs: number) => void;
}

const NO_BYTES = new Uint8Array(0);

/** Files of all users open at once through handles of this thread, and of root besides; beyond it the main thread opens. */
const HANDLES_LIMIT = 65_536;

/** Of one user but root. */
const HANDLES_PER_UID = 4096;

/**
 * The part of the tree that is answered without waiting, from a replica of the registry. What it does not know it
 * leaves to `Tree`, by DEFER.
 */
export function fastTree({ view, places, firstHandle, onHidden }: FastTreeOptions): FastFilesystem {
  const texts = new Map<number, { readonly bytes: Uint8Array; readonly account: Account }>();
  const shares = new Shares({ each: HANDLES_PER_UID, all: HANDLES_LIMIT });
  // Root's only.
  const plain = new PlainHandles();
  const reading = new OpenNodes();
  const bytesOf = encoder();
  const ownPidNamespace = readlinkSync('/proc/self/ns/pid');
  let nextHandle = firstHandle;

  const newHandle = () => {
    const handle = nextHandle;
    nextHandle += 2;
    return handle;
  };

  const open = ({ caller }: Request, id: NodeId, flags: number): Opened | typeof DEFER => {
    const { container, control } = view.node(id);
    if (!control || !view.resolves(container, control)) return DEFER;
    const access = flags & O_ACCMODE;
    // Whose a handle is for writing, if not root's, the main thread has to know.
    if (access === constants.O_WRONLY && isFile(control, container) && caller.uid === 0) {
      return plain.size < HANDLES_LIMIT ? openPlain(id) : DEFER;
    }
    if (!control.text || access !== constants.O_RDONLY) return DEFER;
    // Whose subordinate an id is takes a file to know: he then has more here, and no more in the main thread.
    const account = caller.uid === 0 ? undefined : caller.uid;
    if (shares.beyond(account)) return DEFER;
    const handle = newHandle();
    texts.set(handle, { bytes: bytesOf(control.text(container)), account });
    shares.take(account);
    reading.add(handle, id);
    return { handle, noFlush: true };
  };

  const openPlain = (id: NodeId): Opened => {
    const handle = newHandle();
    plain.open(handle, id, 0);
    return { handle, noFlush: true };
  };

  const getattr = (id: NodeId): Attr | typeof DEFER => {
    const container = view.registry.get(serialOf(id));
    if (!container) return DEFER;
    const control = view.controlOf(id);
    if (!control) return directoryAttr(container);
    if (!view.resolves(container, control)) {
      if (plain.isOpen(id)) return controlAttr(container, control, 0);
      return reading.has(id) ? controlAttr(container, control, 0, 0) : DEFER;
    }
    if (control.text) return controlAttr(container, control, utf8Length(control.text(container)));
    if (isSubdirectory(control)) return controlAttr(container, control, 0);
    const target = fixedTarget({ container, control }, places);
    return target === undefined ? DEFER : controlAttr(container, control, utf8Length(target));
  };

  return {
    lookup: (request, parent, name) => {
      if (isProxy(parent)) return lookupEntered(request, name);
      return isWaitingName(name) && !isChild(parent, name) ? DEFER : (view.find(parent, name) ?? absent(name));
    },
    getattr: (_request, id) => (isOfMainThread(id) ? DEFER : getattr(id)),
    readlink: (request, id) => {
      if (isOfMainThread(id)) return DEFER;
      const { container, control } = view.node(id);
      if (!control || !view.resolves(container, control)) return DEFER;
      return (
        fixedTarget({ container, control }, places) ?? initTarget({ container, control }, request, ownPidNamespace)
      );
    },
    unlink: (_request, parent, name) => {
      if (isProxy(parent)) return DEFER;
      const directory = view.directory(parent);
      const control = view.control(directory, name);
      const { container, within } = directory;
      if (!control || !isHideable(container, control) || (within && isAsking(container))) return DEFER;
      hideEntry(container, control);
      return undefined;
    },
    rmdir: (_request, parent, name) => {
      const directory = view.directory(parent);
      const control = view.control(directory, name);
      if (control !== ns || directory.container.phase === 'declared') return DEFER;
      for (const _entry of view.readdir(controlAttr(directory.container, control, 0).id, 0)) return DEFER;
      hideEntry(directory.container, control);
      return undefined;
    },
    create: ({ caller }, parent, name, _mode, flags) => {
      const { container, within } = view.directory(parent);
      const control = within ? undefined : entryNamed(name, within);
      // For writing only, by root, of what was not unlinked: the rest changes something, is refused, or is another's.
      if (!control || !isFile(control, container) || (flags & O_ACCMODE) !== constants.O_WRONLY) return DEFER;
      if (container.hidden !== 0 || caller.uid !== 0 || plain.size >= HANDLES_LIMIT) return DEFER;
      const attr = controlAttr(container, control, 0);
      const fleeting = !view.resolves(container, control);
      return { ...openPlain(attr.id), entry: { attr, cacheable: false, fleeting } };
    },
    open,
    read: (_request, _id, handle, offset, size) => {
      const text = texts.get(handle);
      if (!text) return DEFER;
      const { bytes } = text;
      if (offset === 0 && size >= bytes.length) return bytes;
      return offset >= bytes.length ? NO_BYTES : bytes.subarray(offset, offset + size);
    },
    flush: () => undefined,
    release: (_request, _id, handle) => {
      reading.release(handle);
      const text = texts.get(handle);
      if (!text) return plain.release(handle) ? undefined : DEFER;
      shares.give(text.account);
      texts.delete(handle);
      return undefined;
    },
    readdir: (_request, id, cookie) => (isProxy(id) ? DEFER : view.readdir(id, cookie)),
    statfs: () => view.statfs(),
  };

  function isChild(parent: NodeId, name: string): boolean {
    return view.registry.get(serialOf(parent))?.children.has(name) === true;
  }

  /** What nobody sees but who links it is told of by the main thread. */
  function absent(name: string): Instead {
    return name === nsproxy.name ? DEFER : ABSENT;
  }

  /** Most who are linked have not entered yet, which the registry knows. */
  function lookupEntered({ caller }: Request, name: string): Instead {
    const pid = /^[1-9][0-9]{0,6}$/.test(name) ? (Number(name) as Pid) : undefined;
    if (pid === undefined || view.registry.entered.has(pid) || !isOfPidNamespace(caller.pid, ownPidNamespace))
      return DEFER;
    return ABSENT;
  }

  function hideEntry(container: Node['container'], control: ControlEntry): void {
    const at = Date.now();
    onHidden(container.serial, 1 << control.entry, at);
    hide(container, 1 << control.entry, at);
  }
}

/** What is listed in `.proxy` are processes, of which the registry alone does not know. */
function isProxy(id: NodeId): boolean {
  return entryOf(id) === proxy.entry;
}

/** A regular file, before the start too. */
function isFile(control: ControlEntry, container: Node['container']): boolean {
  return (control.mode(container) & S_IFMT) === S_IFREG;
}

/** A symlink's target that is the same for everybody. */
function fixedTarget({ container, control }: Node, places: Places): string | undefined {
  return control?.target?.(container, places);
}

/** Links below the init's /proc/PID, for a reader in the daemon's own pid namespace; others cost a look at the machine. */
function initTarget({ container, control }: Node, { caller }: Request, ownPidNamespace: string): string | typeof DEFER {
  if (control?.below === undefined || !container.init || caller.pid === 0) return DEFER;
  if (!isOfPidNamespace(caller.pid, ownPidNamespace)) return DEFER;
  return `/proc/${container.init.pid}${control.below}`;
}

function isOfPidNamespace(pid: Pid, namespace: string): boolean {
  try {
    return readlinkSync(`/proc/${pid}/ns/pid`) === namespace;
  } catch {
    return false;
  }
}

/** Texts whose bytes are remembered: there are few, most are states. */
const REMEMBERED_TEXTS = 64;

/** UTF-8 of a text; the same bytes for the same text, never to be changed. */
function encoder(): (text: string) => Uint8Array {
  const known = new Map<string, Uint8Array>();
  return (text) => {
    const found = known.get(text);
    if (found) return found;
    const bytes = new TextEncoder().encode(text);
    if (known.size >= REMEMBERED_TEXTS) known.clear();
    known.set(text, bytes);
    return bytes;
  };
}

/** An entry whose unlinking means no more than that it is not listed for a while. */
export function isHideable(container: Node['container'], control: ControlEntry): boolean {
  return control.report === undefined && !(control === bundle && isRemovable(container));
}

/** Names that the registry alone does not know. */
function isOfMainThread(id: NodeId): boolean {
  return isProxyId(id) || isWaitingId(id);
}
