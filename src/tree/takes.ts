import { rename } from 'node:fs/promises';
import { existsSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { checkpoint } from '../container/checkpoint.ts';
import { contains, pathOf, subtree, type Container } from '../container/container.ts';
import { removeImages } from '../container/images.ts';
import type { Machine } from '../container/machine.ts';
import { recordRefusal } from '../container/refusal.ts';
import { FsError } from '../errno.ts';
import type { Pid, Serial } from '../ids.ts';
import { checkpointsDir } from '../instance.ts';
import { OWN_UID } from '../own-user.ts';
import { isAlive, readStat } from '../proc/process.ts';
import { now } from '../time.ts';
import { isArchiver } from './archivers.ts';
import { slotBehind, slotOf, TAKES_LIMIT } from './checkpoint-id.ts';
import type { Request } from './filesystem.ts';
import { serialOf, type NodeId } from './node-id.ts';
import { filesIn, type Session, type Take, type TakenFile } from './take.ts';

/** Archivers that are at work at once; the images of a further one are refused with EBUSY. */
const SESSIONS_LIMIT = 64;

/** How often to look whether an archiver has ended, and its images can go. */
const SWEEP_MS = 2_000;

/** The checkpoints that are there to be read, and who sees which. */
export class Takes {
  readonly #machine: Machine;
  readonly #sessions = new Map<string, Session>();
  readonly #held = new Map<Serial, Take>();
  #slot: number | undefined;
  #sweeping: NodeJS.Timeout | undefined;

  constructor(machine: Machine) {
    this.#machine = machine;
    this.#findHeld();
    machine.store.onCommit((changes) => {
      if (changes.some(({ op }) => op === 'drop')) this.#forgetDropped();
    });
  }

  /** What `.checkpoint` of the container is for this caller: what is held, an archiver's own, or an empty directory. */
  async seenBy({ pid, uid }: Request['caller'], container: Container): Promise<Take | undefined> {
    const held = this.#held.get(container.serial);
    if (held) return held;
    if (pid === 0 || (uid !== 0 && uid !== container.uid)) return undefined;
    if (!(await isArchiver(pid)) || this.#isInside(pid, container)) return undefined;
    const stat = readStat(this.#machine.files, pid);
    if (!stat) return undefined;
    const key = `${pid}:${stat.starttime}`;
    const session = this.#sessions.get(key) ?? this.#open(key, pid, stat.starttime);
    return session.takes.get(container.serial) ?? this.#announce(container, session);
  }

  /** The take of an id in its slot. Throws EIO if it is gone. */
  of(id: NodeId): Take {
    const [serial, slot] = [serialOf(id), slotOf(id)];
    const held = this.#held.get(serial);
    if (held?.slot === slot) return held;
    for (const { takes } of this.#sessions.values()) {
      const take = takes.get(serial);
      if (take?.slot === slot) return take;
    }
    throw new FsError('EIO', 'this checkpoint is gone, with the daemon that took it or who asked for it; begin anew');
  }

  /** The files that are there; takes the checkpoint if that was not done. Throws what `checkpoint` does. */
  async files(take: Take, caller: Pid): Promise<TakenFile[]> {
    take.ready ??= this.#takeSession(take, caller);
    await take.ready;
    return take.files.filter(({ name }) => !take.gone.has(name));
  }

  /** Takes one now, for everybody, until it is dropped. Throws EPERM for who is not root, and what `checkpoint` does. */
  async hold(container: Container, { pid: caller, uid }: Request['caller']): Promise<void> {
    if (uid !== OWN_UID) {
      const why = 'images are memory, and only root saves them; ask root';
      const error = new FsError('EPERM', `Cannot checkpoint "${pathOf(container)}": ${why}`);
      recordRefusal(this.#machine, container, error, { uid });
      throw error;
    }
    const take = this.#newTake(container, undefined);
    try {
      await checkpoint(this.#machine, container, {
        caller,
        placeFor: (node) => (node === container ? take.dir : `${take.dir}.${node.serial}`),
      });
    } catch (error) {
      await removeImages(take.dir);
      recordRefusal(this.#machine, container, error, { uid });
      throw error;
    } finally {
      for (const node of subtree(container)) if (node !== container) await removeImages(`${take.dir}.${node.serial}`);
    }
    const dir = path.join(path.dirname(take.dir), `held-${take.slot}`);
    await rename(take.dir, dir);
    take.dir = dir;
    take.files = await filesIn(dir);
    take.ready = Promise.resolve();
    const before = this.#held.get(container.serial);
    this.#held.set(container.serial, take);
    this.#machine.store.commit([{ op: 'checkpoint', serial: container.serial, is: 'held' }]);
    if (before) this.#discard(before);
  }

  /** Nobody sees it any more. */
  drop(take: Take): void {
    const { serial } = take.container;
    if (this.#held.get(serial) === take) {
      this.#held.delete(serial);
      this.#machine.store.commit([{ op: 'checkpoint', serial, is: 'none' }]);
    }
    take.session?.takes.delete(serial);
    this.#discard(take);
  }

  #isInside(caller: Pid, container: Container): boolean {
    const own = this.#machine.containerOf(caller);
    return own !== undefined && contains(container, own);
  }

  #open(key: string, pid: Pid, startTime: number): Session {
    this.#sweep();
    if (this.#sessions.size >= SESSIONS_LIMIT) {
      throw new FsError('EBUSY', `${SESSIONS_LIMIT} archivers are at work already; try again later`);
    }
    const session: Session = { pid, startTime, takes: new Map() };
    this.#sessions.set(key, session);
    this.#sweeping ??= setInterval(() => {
      this.#sweep();
    }, SWEEP_MS).unref();
    return session;
  }

  #announce(container: Container, session: Session): Take {
    const take = this.#newTake(container, session);
    session.takes.set(container.serial, take);
    return take;
  }

  #newTake(container: Container, session: Session | undefined): Take {
    const slot = this.#freeSlot(container.serial);
    const dir = path.join(checkpointsDir(this.#machine.instance, container.serial), `take-${slot}`);
    return { container, slot, at: now(), dir, ready: undefined, files: [], gone: new Set(), session };
  }

  /** The next slot that no checkpoint of this container has. Throws EBUSY if all have one. */
  #freeSlot(serial: Serial): number {
    const sessions = [...this.#sessions.values()].map(({ takes }) => takes.get(serial)?.slot);
    const used = new Set([this.#held.get(serial)?.slot, ...sessions]);
    this.#slot = slotBehind(this.#slot, used) ?? this.#slot;
    if (this.#slot === undefined || used.has(this.#slot)) {
      throw new FsError('EBUSY', `${TAKES_LIMIT} checkpoints of this container are there already; try again later`);
    }
    return this.#slot;
  }

  /** Saves the outermost container of those announced to this archiver that holds this one, and all in it, at once. */
  async #takeSession(take: Take, caller: Pid): Promise<void> {
    const { session } = take;
    if (!session) return;
    let top = take.container;
    for (let at: Container | undefined = top; at; at = at.parent) {
      const outer = session.takes.get(at.serial);
      if (outer && (outer === take || !outer.ready)) top = at;
    }
    const taken = [...subtree(top)].map((node) => session.takes.get(node.serial) ?? this.#announce(node, session));
    const fresh = taken.filter((one) => one === take || !one.ready);
    const work = this.#save(top, fresh, caller);
    // Who asks for one of them waits for all.
    for (const one of fresh) one.ready = work;
    work.catch(() => undefined);
    await work;
  }

  async #save(top: Container, takes: readonly Take[], caller: Pid): Promise<void> {
    const machine = this.#machine;
    // What this archiver has of a container already stays as it was.
    const again = (node: Container) => path.join(checkpointsDir(machine.instance, node.serial), 'again');
    const placeFor = (node: Container) => takes.find(({ container }) => container === node)?.dir ?? again(node);
    try {
      const saved = await checkpoint(machine, top, { caller, placeFor });
      for (const node of subtree(top)) {
        if (!takes.some(({ container }) => container === node)) await removeImages(again(node));
      }
      for (const take of takes) {
        if (saved.includes(take.container.serial)) take.files = await filesIn(take.dir);
      }
    } catch (error) {
      recordRefusal(machine, top, error);
      for (const take of takes) this.#discard(take);
      throw error;
    }
  }

  #discard({ dir }: Take): void {
    removeImages(dir).catch((cause: unknown) => {
      this.#machine.log.warn({ dir, err: cause }, 'cannot remove a checkpoint');
    });
  }

  #sweep(): void {
    for (const [key, session] of this.#sessions) {
      if (isAlive(this.#machine.files, session.pid, session.startTime)) continue;
      this.#sessions.delete(key);
      for (const take of session.takes.values()) void this.#discardWhenDone(take);
    }
    if (this.#sessions.size > 0 || !this.#sweeping) return;
    clearInterval(this.#sweeping);
    this.#sweeping = undefined;
  }

  async #discardWhenDone(take: Take): Promise<void> {
    if (!take.ready) return;
    await take.ready.catch(() => undefined);
    this.#discard(take);
  }

  #forgetDropped(): void {
    const { registry } = this.#machine.store;
    const isGone = (serial: Serial) => registry.get(serial) === undefined;
    for (const take of this.#held.values()) if (isGone(take.container.serial)) this.#held.delete(take.container.serial);
    for (const { takes } of this.#sessions.values()) {
      for (const [serial, take] of takes) {
        if (!isGone(serial)) continue;
        takes.delete(serial);
        void this.#discardWhenDone(take);
      }
    }
  }

  /** What a former daemon held; what it had for archivers is gone with it. */
  #findHeld(): void {
    const { instance, store } = this.#machine;
    for (const container of subtree(store.registry.root)) {
      if (container.checkpoint !== 'held') continue;
      const parent = checkpointsDir(instance, container.serial);
      const name = existsSync(parent) ? readdirSync(parent).find((entry) => /^held-\d+$/.test(entry)) : undefined;
      if (name === undefined) {
        store.commit([{ op: 'checkpoint', serial: container.serial, is: 'none' }]);
        continue;
      }
      const dir = path.join(parent, name);
      const slot = Number(name.slice('held-'.length));
      const take: Take = {
        container,
        slot,
        at: now(),
        dir,
        ready: undefined,
        files: [],
        gone: new Set(),
        session: undefined,
      };
      take.ready = filesIn(dir).then((files) => {
        take.files = files;
      });
      this.#held.set(container.serial, take);
    }
  }
}
