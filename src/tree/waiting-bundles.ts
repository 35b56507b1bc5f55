import type { Container } from '../container/container.ts';
import { FsError } from '../errno.ts';
import type { Account } from '../shares.ts';
import { now, type Timespec } from '../time.ts';
import { S_IFLNK, type Attr, type Entry, type Request } from './filesystem.ts';
import { entryOf, nodeId, serialOf, type NodeId } from './node-id.ts';

/** What `ln -sf` of coreutils calls a link before it renames it over the one that is there. */
const TEMPORARY = /^Cu[A-Za-z0-9]{6}$/;

/** Links that wait to be renamed to `.bundle`; the oldest of who has the most is forgotten. */
const WAITING_BUNDLES_LIMIT = 128;

/** Entry numbers of such links, between those of control entries and of `.proxy`. */
const FIRST = 2 ** 20;

interface Waiting {
  readonly id: NodeId;
  readonly name: string;
  readonly text: string;
  readonly uid: number;
  readonly gid: number;
  readonly time: Timespec;
}

/** Whether a link of this name may wait in a container's directory. */
export function isWaitingName(name: string): boolean {
  return name.length === 8 && TEMPORARY.test(name);
}

export function isWaitingId(id: NodeId): boolean {
  const entry = entryOf(id);
  return entry >= FIRST && entry < FIRST + WAITING_BUNDLES_LIMIT;
}

/** Links in containers' directories that are about to become `.bundle`. They do not outlive the daemon. */
export class WaitingBundles {
  readonly #waiting = new Map<NodeId, Waiting>();
  readonly #accountOf: (uid: number) => Account;
  #next = 0;

  constructor(accountOf: (uid: number) => Account) {
    this.#accountOf = accountOf;
  }

  make({ caller }: Request, { serial }: Container, name: string, text: string): Entry {
    if (this.#waiting.size === WAITING_BUNDLES_LIMIT) this.#forgetOne();
    let id: NodeId;
    do id = nodeId(serial, FIRST + (this.#next++ % WAITING_BUNDLES_LIMIT));
    while (this.#waiting.has(id));
    const { uid, gid } = caller;
    this.#waiting.set(id, { id, name, text, uid, gid, time: now() });
    return this.#entry(id);
  }

  lookup(container: Container, name: string): Entry | undefined {
    const found = this.#named(container, name);
    return found && this.#entry(found.id);
  }

  /** Throws ENOENT for one that is gone. */
  attr(id: NodeId): Attr {
    const { text, uid, gid, time } = this.#get(id);
    const times = { atime: time, mtime: time, ctime: time };
    return { id, mode: S_IFLNK | 0o777, nlink: 1, uid, gid, size: Buffer.byteLength(text), ...times, cacheable: false };
  }

  text(id: NodeId): string {
    return this.#get(id).text;
  }

  /** What the link of this name says; `undefined` if there is none. */
  named(container: Container, name: string): string | undefined {
    return this.#named(container, name)?.text;
  }

  /** What the link of this name says; it waits no more. `undefined` if there is none. */
  take(container: Container, name: string): string | undefined {
    const found = this.#named(container, name);
    if (found) this.#waiting.delete(found.id);
    return found?.text;
  }

  #forgetOne(): void {
    const byAccount = new Map<Account, NodeId[]>();
    for (const { id, uid } of this.#waiting.values()) {
      const account = this.#accountOf(uid);
      byAccount.set(account, [...(byAccount.get(account) ?? []), id]);
    }
    const most = [...byAccount.values()].reduce((one, other) => (other.length > one.length ? other : one), []);
    for (const oldest of most.slice(0, 1)) this.#waiting.delete(oldest);
  }

  #named({ serial }: Container, name: string): Waiting | undefined {
    if (!isWaitingName(name)) return undefined;
    return [...this.#waiting.values()].find((waiting) => waiting.name === name && serialOf(waiting.id) === serial);
  }

  #get(id: NodeId): Waiting {
    const found = this.#waiting.get(id);
    if (!found) throw new FsError('ENOENT', 'this link is gone');
    return found;
  }

  #entry(id: NodeId): Entry {
    return { attr: this.attr(id), cacheable: false, fleeting: true };
  }
}
