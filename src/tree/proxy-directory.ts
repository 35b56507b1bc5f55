import type { Container } from '../container/container.ts';
import { enter, ownerOf, type Owner, type Wish } from '../container/enter.ts';
import { enteredAs, enteredBelow, rememberedBelow, type Entered, type EnteredBy } from '../container/entered.ts';
import { viewRootOf } from '../container/enter-checks.ts';
import type { Machine } from '../container/machine.ts';
import { isProcessName, processAmong, processNamed } from '../container/process-named.ts';
import { recordRefusal } from '../container/refusal.ts';
import { RENAME_NOREPLACE } from '../container/rename.ts';
import { FsError, quoted } from '../errno.ts';
import type { Pid } from '../ids.ts';
import { accountFor } from '../proc/accounts.ts';
import { pidView } from '../proc/pid-view.ts';
import { readStatus } from '../proc/process.ts';
import { callerSight } from '../proc/sight.ts';
import type { ControlEntry } from './control/entry.ts';
import { nsKinds } from './control/ns.ts';
import { nsproxy } from './control/nsproxy.ts';
import { state } from './control/state.ts';
import { FIRST_COOKIE, S_IFLNK, type Attr, type DirEntry, type Entry, type Request } from './filesystem.ts';
import { isLinking } from './linking.ts';
import { entryOf, serialOf, type NodeId } from './node-id.ts';
import { PendingLinks, type PendingLink } from './pending-links.ts';
import { processId, pendingId, pidOf } from './proxy-id.ts';
import { linkText, resolveLink } from './proxy-target.ts';
import { controlAttr } from './view.ts';

/** Behind the pids of processes, in a listing. */
const FIRST_PENDING_COOKIE = 2 ** 32;

/** What a hard link may be of, and what it has its process do. */
const LINKABLE: readonly (readonly [EnteredBy, ControlEntry])[] = [
  ['nsproxy', nsproxy],
  ['state', state],
  ...nsKinds.map((row) => [row.kind, row] as const),
];

/**
 * `.proxy`: the processes that entered the container it is in, or one below, and the links by which they did. A link with the
 * name of a process has it enter; one with another name waits to be renamed to that, as `ln -f` does it.
 */
export class ProxyDirectory {
  readonly #machine: Machine;
  readonly #pending: PendingLinks;

  constructor(machine: Machine) {
    this.#machine = machine;
    this.#pending = new PendingLinks((uid) => accountFor(machine.files, uid));
  }

  /** ENOENT also for a process that is in already, while the caller makes a link: several links, several kinds. */
  async lookup(request: Request, directory: Container, name: string): Promise<Entry> {
    if (isProcessName(name) && !isLinking(this.#machine.files, request.caller.pid)) {
      const entered = await this.#entered(request, directory, name);
      if (entered) return this.#entryOf(directory, entered);
    }
    const pending = this.#pending.get(directory, name);
    if (pending) return this.#pendingEntry(pending);
    throw new FsError('ENOENT', `no process ${quoted(name)} entered`);
  }

  async symlink(request: Request, directory: Container, name: string, text: string): Promise<Entry> {
    const { mountPoint } = this.#machine.instance;
    const { pid } = request.caller;
    const asker = pid === 0 ? undefined : callerSight(this.#machine.files, pid);
    const viewRoot = viewRootOf(this.#machine, pid, asker);
    const wish = resolveLink(text, { directory, viewRoot, mountPoint });
    if (!isProcessName(name)) return this.#putPending(request, directory, name, { wish, text });
    return await this.#enterAs(request, directory, name, { ...wish, seen: { asker, viewRoot } });
  }

  async link(request: Request, source: { container: Container; entry: number }, directory: Container, name: string) {
    const by = LINKABLE.find(([, { entry }]) => entry === source.entry)?.[0];
    if (!by) throw new FsError('EPERM', 'only .nsproxy, .state and .ns/KIND can be linked into .proxy');
    const wish: Wish = { container: source.container, by };
    if (!isProcessName(name)) return this.#putPending(request, directory, name, { wish, text: undefined });
    return await this.#enterAs(request, directory, name, wish);
  }

  /** A link that waits is gone; a process that entered stays where it is, and is not listed any more. */
  async unlink(request: Request, directory: Container, name: string): Promise<undefined> {
    const pending = this.#pending.get(directory, name);
    if (pending) {
      requireOwner(request, pending.uid, name);
      this.#pending.take(directory, name);
      return;
    }
    const entered = isProcessName(name) ? await this.#entered(request, directory, name) : undefined;
    if (!entered) {
      if (request.resent) return;
      throw new FsError('ENOENT', `no process ${quoted(name)} entered`);
    }
    const { pid, container } = entered;
    requireOwner(request, ownerOf(readStatus(this.#machine.files, pid)).uid, name);
    this.#machine.store.commit([{ op: 'leave', serial: container.serial, pid }], request.unique);
  }

  /** A link that waits gets the name of a process, which then enters, or another name. The old one stays if that is refused. */
  async rename(request: Request, directory: Container, from: string, name: string, flags: number): Promise<undefined> {
    const pending = this.#pending.get(directory, from);
    if (!pending) {
      if (request.resent) return;
      throw new FsError(isProcessName(from) ? 'EPERM' : 'ENOENT', `${quoted(from)} is no link that waits for a name`);
    }
    requireOwner(request, pending.uid, from);
    // Else who renames what somebody else made would have him link what he did not mean.
    const replaced = this.#pending.get(directory, name);
    if (replaced) requireOwner(request, replaced.uid, name);
    const isThere = replaced !== undefined || (isProcessName(name) && (await this.#entered(request, directory, name)));
    if (flags === RENAME_NOREPLACE && isThere) throw new FsError('EEXIST', `${quoted(name)} is in .proxy already`);
    if (isProcessName(name)) {
      await this.#enter(request, name, pending.wish);
      if (this.#pending.get(directory, from) === pending) this.#pending.take(directory, from);
    } else this.#pending.rename(pending, name);
  }

  *readdir(request: Request, directory: Container, cookie: number): Generator<DirEntry> {
    const view = pidView(this.#machine, request.caller.pid);
    const entered = enteredBelow(this.#machine, directory).sort((a, b) => a.pid - b.pid);
    for (const each of entered) {
      const seen = view(each.pid);
      const next = FIRST_COOKIE + each.pid;
      if (seen === undefined || next <= cookie) continue;
      yield { name: String(seen), cookie: next, entry: this.#entryOf(directory, each) };
    }
    for (const pending of this.#pending.in(directory)) {
      const next = FIRST_PENDING_COOKIE + pending.number;
      if (next > cookie) yield { name: pending.name, cookie: next, entry: this.#pendingEntry(pending) };
    }
  }

  /** Whether nobody entered and no link waits: whoever looks sees nothing. */
  isQuiet(directory: Container): boolean {
    return enteredBelow(this.#machine, directory).length === 0 && this.#pending.in(directory).length === 0;
  }

  /** ENOENT for an entry that is gone. */
  attr(id: NodeId): Attr {
    const { text, uid, gid, time } = this.#meaning(id);
    const times = { atime: time, mtime: time, ctime: time };
    return { id, mode: S_IFLNK | 0o777, nlink: 1, uid, gid, size: Buffer.byteLength(text), ...times, cacheable: false };
  }

  target(id: NodeId): string {
    return this.#meaning(id).text;
  }

  #meaning(id: NodeId) {
    const directory = this.#machine.store.registry.get(serialOf(id));
    const pid = pidOf(id);
    const pending = directory && pid === undefined ? this.#pending.numbered(directory, entryOf(id)) : undefined;
    if (pending) {
      const { text = linkText(pending.directory, pending.wish.container), uid, gid, time } = pending;
      return { text, uid, gid, time };
    }
    const entered = pid === undefined ? undefined : enteredAs(this.#machine, pid);
    if (!directory || !entered) throw new FsError('ENOENT', 'the process has ended');
    const owner = ownerOf(readStatus(this.#machine.files, entered.pid));
    return { text: linkText(directory, entered.container), ...owner, time: entered.container.changed };
  }

  async #entered(request: Request, directory: Container, name: string): Promise<Entered | undefined> {
    const remembered = rememberedBelow(this.#machine, directory);
    const found = await processAmong(this.#machine, request.caller.pid, name, remembered);
    return found && enteredAs(this.#machine, found.pid);
  }

  #putPending(request: Request, directory: Container, name: string, made: Pick<PendingLink, 'wish' | 'text'>): Entry {
    const { uid, gid } = request.caller;
    return this.#pendingEntry(this.#pending.put(directory, name, { ...made, uid, gid }));
  }

  async #enterAs(request: Request, directory: Container, name: string, wish: Wish): Promise<Entry> {
    const { pid, owner } = await this.#enter(request, name, wish);
    return this.#linkedEntry(directory, wish, pid, owner);
  }

  async #enter(request: Request, name: string, wish: Wish): Promise<{ pid: Pid; owner?: Owner }> {
    try {
      const pid = await processNamed(this.#machine, request.caller, name, wish.seen?.asker);
      const wasDone = request.resent && this.#machine.store.wasDone(request.unique);
      return wasDone ? { pid } : { pid, owner: await enter(this.#machine, wish, pid, request) };
    } catch (error) {
      recordRefusal(this.#machine, wish.container, error, request.caller);
      throw error;
    }
  }

  #entryOf(directory: Container, { pid, container, by }: Entered): Entry {
    return this.#linkedEntry(directory, { container, by }, pid);
  }

  /** A hard link is the file it is of. */
  #linkedEntry(directory: Container, { container, by }: Wish, pid: Pid, known?: Owner): Entry {
    const row = rowOf(by);
    if (row) return { attr: controlAttr(container, row, 0), cacheable: false };
    const id = processId(directory.serial, pid);
    const times = { atime: container.changed, mtime: container.changed, ctime: container.changed };
    const owner = known ?? ownerOf(readStatus(this.#machine.files, pid));
    const size = Buffer.byteLength(linkText(directory, container));
    return {
      attr: { id, mode: S_IFLNK | 0o777, nlink: 1, ...owner, size, ...times, cacheable: false },
      cacheable: false,
    };
  }

  #pendingEntry(pending: PendingLink): Entry {
    const { wish, directory, number } = pending;
    const row = rowOf(wish.by);
    if (row && pending.text === undefined) return { attr: controlAttr(wish.container, row, 0), cacheable: false };
    return { attr: this.attr(pendingId(directory.serial, number)), cacheable: false };
  }
}

function rowOf(by: EnteredBy): ControlEntry | undefined {
  return LINKABLE.find(([each]) => each === by)?.[1];
}

/** As in a directory with the sticky bit. */
function requireOwner({ caller }: Request, uid: number, name: string): void {
  if (caller.uid === 0 || caller.uid === uid) return;
  throw new FsError('EPERM', `${quoted(name)} in .proxy belongs to uid ${uid}`);
}
