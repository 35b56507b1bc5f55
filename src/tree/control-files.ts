import { constants } from 'node:fs';
import type { Container } from '../container/container.ts';
import type { Machine } from '../container/machine.ts';
import { FsError } from '../errno.ts';
import { accountFor } from '../proc/accounts.ts';
import { pidFor } from '../proc/pid-view.ts';
import type { ControlEntry, Text } from './control/entry.ts';
import { nsproxy } from './control/nsproxy.ts';
import { EventStreams } from './event-streams.ts';
import { O_ACCMODE, S_IFDIR, S_IFLNK, S_IFMT, S_IFREG, type Attr, type Opened, type Request } from './filesystem.ts';
import { isSeenByLinker } from './linking.ts';
import { nodeId, serialOf, type NodeId } from './node-id.ts';
import { OpenFiles } from './open-files.ts';
import { OpenNodes } from './open-nodes.ts';
import { PlainHandles } from './plain-handles.ts';
import { SlowTexts } from './slow-texts.ts';
import { controlAttr, type View } from './view.ts';

/** A control entry of a container, whether it has something to say or not. */
export interface ControlNode {
  readonly container: Container;
  readonly control: ControlEntry;
}

/** Bytes one write to a control entry may have. */
const WRITE_LIMIT_BYTES = 4096;

/** poll(2) of a file that never waits: POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM. */
const POLL_READY = 0x145;

const NO_BYTES = new Uint8Array(0);
const { O_CREAT, O_RDWR, O_WRONLY } = constants;

/** Control entries as files: their texts, targets, open handles and commands. */
export class ControlFiles {
  readonly #machine: Machine;
  readonly #view: View;
  readonly #texts = new SlowTexts();
  readonly #streams: EventStreams;
  readonly #plain = new PlainHandles();
  readonly #open: OpenFiles;
  readonly #reading = new OpenNodes();
  readonly #firstHandle: number;
  #nextHandle: number;

  constructor(machine: Machine, view: View, onWake: (wake: number) => void, firstHandle: number) {
    this.#machine = machine;
    this.#view = view;
    const { events, files, userLimits } = machine;
    const accountOf = (uid: number) => accountFor(files, uid);
    this.#streams = new EventStreams(events, onWake, userLimits.events, accountOf);
    this.#open = new OpenFiles(userLimits.files, accountOf);
    this.#firstHandle = firstHandle;
    this.#nextHandle = firstHandle;
  }

  /**
   * Throws ESTALE for an entry that has nothing to say, unless somebody has it open: who reads what was unlinked meanwhile
   * sees a file without a name. `.ns` is then as any directory that was
   * removed: somebody may stand in it, or be about to remove it.
   */
  async attr(request: Request, node: ControlNode): Promise<Attr> {
    const { container, control } = node;
    const id = idOf(node);
    if (!this.#view.resolves(container, control)) {
      if (this.#plain.isOpen(id)) return silentAttr(node);
      if (this.#reading.has(id)) return controlAttr(container, control, 0, 0);
      if ((control.mode(container) & S_IFMT) === S_IFDIR) return controlAttr(container, control, 0, 0);
      if (control === nsproxy && isSeenByLinker(this.#machine.files, container, request.caller.pid)) {
        return silentAttr(node);
      }
      throw silent(control);
    }
    const type = control.mode(container) & S_IFMT;
    if (type === S_IFLNK) return controlAttr(container, control, Buffer.byteLength(this.target(request, node)));
    if (type !== S_IFREG) return silentAttr(node);
    if (control.stream) return controlAttr(container, control, this.#streams.size(container.serial, request.caller));
    const { text, nlink } = control.produce
      ? await this.#texts.stat(id, request.caller.pid, () => this.#produce(request, node))
      : await this.#produce(request, node);
    return controlAttr(container, control, Buffer.byteLength(text), nlink);
  }

  /** Throws ENOENT where the link leads nowhere for this caller. */
  target(request: Request, { container, control }: ControlNode): string {
    const found = this.#view.resolves(container, control) ? this.#target(request, { container, control }) : undefined;
    if (found === undefined) throw new FsError('ENOENT', `${control.name} leads nowhere for you`);
    return found;
  }

  /** Throws EDQUOT, ENFILE where too many are open. */
  async open(request: Request, node: ControlNode, flags: number): Promise<Opened> {
    const access = flags & O_ACCMODE;
    const speaks = this.#view.resolves(node.container, node.control);
    if (!speaks && (flags & O_CREAT) === 0) throw silent(node.control);
    const handle = this.#nextHandle;
    this.#nextHandle += 2;
    await this.#openFor(request, node, handle, access !== O_WRONLY && speaks);
    if (access === O_WRONLY || access === O_RDWR || !speaks) {
      this.#plain.open(handle, idOf(node), request.caller.uid);
    }
    return { handle, noFlush: true };
  }

  /** What is read from a handle that was opened here, also when the container is gone; `undefined` for any other. */
  readOpen(handle: number, offset: number, size: number): Uint8Array | undefined {
    return (
      this.#streams.readOpen(handle, offset, size) ??
      this.#texts.read(handle, offset, size) ??
      (this.#plain.has(handle) ? NO_BYTES : undefined)
    );
  }

  /** From a handle of a former daemon: the file is made anew and bound to it. */
  async read(request: Request, node: ControlNode, handle: number, offset: number, size: number): Promise<Uint8Array> {
    if (node.control.stream) return this.#streams.read(handle, node.container.serial, request.caller, offset, size);
    await this.#openFor(request, node, handle, true);
    return this.#texts.read(handle, offset, size) ?? NO_BYTES;
  }

  /** From a handle of a former daemon, of a container that is gone: its events are told on. `undefined` for what is none. */
  readGone({ caller }: Request, id: NodeId, handle: number, offset: number, size: number): Uint8Array | undefined {
    return this.#view.isGoneStream(id) ? this.#streams.read(handle, serialOf(id), caller, offset, size) : undefined;
  }

  /** As `readGone`. */
  pollGone({ caller }: Request, id: NodeId, handle: number, events: number, wake?: number): number | undefined {
    return this.#view.isGoneStream(id) ? events & this.#streams.poll(handle, serialOf(id), caller, wake) : undefined;
  }

  /** Bytes of what somebody may have open of a container that is gone: its events are told on. */
  removedSize({ caller }: Request, id: NodeId): number {
    return this.#view.controlOf(id)?.stream ? this.#streams.size(serialOf(id), caller) : 0;
  }

  /**
   * Every write is a command of its own, wherever in the file it is, as in cgroupfs. EINVAL for what takes none, EPERM for
   * one by somebody else than who opened it, root excepted.
   */
  async write(request: Request, node: ControlNode, handle: number, data: Uint8Array): Promise<void> {
    const { container, control } = node;
    this.#refuseWriter(request, node, handle);
    if (data.length > WRITE_LIMIT_BYTES) {
      throw new FsError(
        'EINVAL',
        `Cannot write ${data.length} bytes to ${control.name}; write at most ${WRITE_LIMIT_BYTES} at a time`,
      );
    }
    if (!control.write)
      throw new FsError('EINVAL', `Cannot write to ${control.name}: it only reports; .state and .signal take commands`);
    await control.write(this.#machine, container, request, Buffer.from(data).toString('utf8').trim());
  }

  /**
   * A program with more rights writes its output to whatever it was given: it must not give commands by that, in its own
   * name, which he may not give who opened the file. Of a handle of a former daemon that is not known.
   */
  #refuseWriter({ caller, resent }: Request, { container, control }: ControlNode, handle: number): void {
    // Those of the serving thread, which are all root's, begin one before ours.
    const isFormer = handle < this.#firstHandle - 1 && !resent && container.uid !== 0;
    const opener = this.#plain.openerOf(handle) ?? (isFormer ? container.uid : 0);
    if (opener === 0 || opener === caller.uid) return;
    throw new FsError(
      'EPERM',
      `Cannot write to ${control.name} as uid ${caller.uid}: uid ${opener} opened it; open it yourself`,
    );
  }

  release(handle: number): void {
    this.#open.release(handle);
    this.#plain.release(handle);
    this.#streams.release(handle);
    this.#texts.release(handle);
    this.#reading.release(handle);
  }

  /** As `readOpen`. */
  pollOpen(handle: number, events: number, wake: number | undefined): number | undefined {
    const ready = this.#streams.pollOpen(handle, wake);
    if (ready !== undefined) return events & ready;
    return this.#reading.isOpened(handle) || this.#plain.has(handle) ? events & POLL_READY : undefined;
  }

  poll(
    { caller }: Request,
    { container, control }: ControlNode,
    handle: number,
    events: number,
    wake: number | undefined,
  ): number {
    if (!control.stream) return events & POLL_READY;
    return events & this.#streams.poll(handle, container.serial, caller, wake);
  }

  #target(request: Request, { container, control }: ControlNode): string | undefined {
    const fixed = control.target?.(container, this.#machine);
    if (fixed !== undefined) return fixed;
    if (control.resolve) return control.resolve(this.#machine, container, request);
    if (control.below === undefined || !container.init) return undefined;
    const pid = pidFor(this.#machine, request.caller.pid, container.init.pid);
    return pid === undefined ? undefined : `/proc/${pid}${control.below}`;
  }

  async #produce(request: Request, { container, control }: ControlNode): Promise<Text> {
    if (control.produce) return await control.produce(this.#machine, container, request);
    return { text: control.text?.(container) ?? '' };
  }

  /** Counts it as the caller's before anything is done for him, and binds a text to it if one is to be read. */
  async #openFor(request: Request, node: ControlNode, handle: number, withText: boolean): Promise<void> {
    const { caller } = request;
    const account = this.#open.open(handle, caller.uid, node.control.name);
    if (!withText) return;
    try {
      if (node.control.stream) this.#streams.open(handle, node.container.serial, caller);
      else await this.#texts.open(handle, idOf(node), caller.pid, () => this.#produce(request, node), account);
    } catch (error) {
      this.#open.release(handle);
      throw error;
    }
    this.#reading.add(handle, idOf(node));
  }
}

/** Attributes of a control entry of which nothing is known, or which has nothing to say but is open. */
export function silentAttr({ container, control }: ControlNode): Attr {
  return controlAttr(container, control, 0);
}

/** The kernel went by a name it still has: at ESTALE it looks it up again, and says ENOENT, or creates it where asked. */
function silent({ name }: ControlEntry): FsError {
  return new FsError('ESTALE', `${name} has nothing to say`);
}

function idOf({ container, control }: ControlNode): NodeId {
  return nodeId(container.serial, control.entry);
}
