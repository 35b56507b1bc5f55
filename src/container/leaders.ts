import { FsError } from '../errno.ts';
import type { Pid } from '../ids.ts';
import { isAlive } from '../proc/process.ts';
import { pathOf, type Container } from './container.ts';
import { remove } from './destroy.ts';
import type { EnteredBy } from './entered.ts';
import type { Machine } from './machine.ts';

/** How often it is looked whether leaders live; some 15 µs for each. */
const LEADERS_LOOK_MS = 100;

/** The container is removed when its leader ends: that is for who may remove it. EACCES. */
export function requireMayLead(container: Container, by: EnteredBy, uid: number, what: string): void {
  if (by !== 'state' || uid === 0) return;
  if (container.uid === uid && container.parent?.uid === uid) return;
  throw new FsError('EACCES', `Cannot ${what} as its leader: that is for uid ${container.uid}, and for root`);
}

/** Removes, for the daemon's life, each container whose last leader has ended, with all that runs in it. */
export function followLeaders(machine: Machine): void {
  const followed = new Followed(machine);
  machine.store.onCommit((changes) => {
    if (changes.some((change) => change.op === 'enter' && change.by === 'state')) followed.expect();
  });
  followed.expect();
}

class Followed {
  readonly #machine: Machine;
  readonly #underWay = new Set<Container>();
  readonly #complained = new WeakSet<Container>();
  #timer: NodeJS.Timeout | undefined;

  constructor(machine: Machine) {
    this.#machine = machine;
  }

  /** Looks again soon, and goes on as long as anybody leads. */
  expect(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.#look();
    }, LEADERS_LOOK_MS).unref();
  }

  #look(): void {
    const lives = new Map<Container, boolean>();
    for (const { container, by, pid, startTime } of this.#machine.store.registry.entered.values()) {
      if (by !== 'state') continue;
      lives.set(container, lives.get(container) === true || isAlive(this.#machine.files, pid, startTime));
    }
    for (const [container, isLed] of lives) if (!isLed) void this.#remove(container);
    if (lives.size > 0) this.expect();
  }

  /** What is in the way of it, another verb or a full disk, is gone some day. */
  async #remove(container: Container): Promise<void> {
    if (this.#underWay.has(container)) return;
    this.#underWay.add(container);
    const name = pathOf(container);
    try {
      await remove(this.#machine, container, { caller: { pid: process.pid as Pid, uid: 0 } }, () => undefined);
      this.#machine.log.info({ container: container.serial, name }, 'removed with its leader');
    } catch (cause) {
      const isGone = cause instanceof FsError && cause.errno === 'ENOENT';
      if (!isGone && !this.#complained.has(container)) {
        this.#machine.log.warn(
          { container: container.serial, name, err: cause },
          'cannot remove what had a leader yet',
        );
      }
      this.#complained.add(container);
    } finally {
      this.#underWay.delete(container);
    }
  }
}
