import type { Container } from '../container/container.ts';
import type { Wish } from '../container/enter.ts';
import { FsError } from '../errno.ts';
import { Shares, type Account } from '../shares.ts';
import { now, type Timespec } from '../time.ts';
import { entryOf } from './node-id.ts';
import { PENDING_NUMBERS, pendingId } from './proxy-id.ts';

/** Links of all users that wait for a process's name, and of root besides, and how long each may. */
export const PENDING_LINKS_LIMIT = 1024;
export const PENDING_LINK_MS = 600_000;

/** Of one user, so that nobody keeps the others from linking. */
export const PENDING_LINKS_PER_UID = 128;

export interface PendingLink {
  readonly directory: Container;
  readonly name: string;
  readonly wish: Wish;
  /** Of a symbolic link, as it was given. */
  readonly text: string | undefined;
  readonly uid: number;
  readonly gid: number;
  readonly time: Timespec;
  readonly number: number;
}

/** Links in `.proxy` that have no process's name yet. They are not kept beyond the daemon. */
export class PendingLinks {
  readonly #links = new Map<string, PendingLink>();
  readonly #accountOf: (uid: number) => Account;
  #next = 0;

  constructor(accountOf: (uid: number) => Account) {
    this.#accountOf = accountOf;
  }

  get(directory: Container, name: string): PendingLink | undefined {
    this.#expire();
    return this.#links.get(keyOf(directory, name));
  }

  /** The link of a node's entry number. */
  numbered(directory: Container, entry: number): PendingLink | undefined {
    return this.in(directory).find(({ number }) => entryOf(pendingId(directory.serial, number)) === entry);
  }

  in(directory: Container): PendingLink[] {
    this.#expire();
    return [...this.#links.values()].filter((link) => link.directory === directory);
  }

  /** Replaces one of the same name. ENOSPC, EDQUOT where there are too many. */
  put(directory: Container, name: string, made: Pick<PendingLink, 'wish' | 'text' | 'uid' | 'gid'>): PendingLink {
    this.#expire();
    const shares = new Shares({ each: PENDING_LINKS_PER_UID, all: PENDING_LINKS_LIMIT });
    for (const { uid } of this.#links.values()) shares.take(this.#accountOf(uid));
    switch (shares.beyond(this.#accountOf(made.uid))) {
      case 'share':
        throw new FsError('EDQUOT', `${PENDING_LINKS_PER_UID} links of uid ${made.uid} wait in .proxy; remove some`);
      case 'all':
        throw new FsError('ENOSPC', `${PENDING_LINKS_LIMIT} links in .proxy wait for a process's name; remove some`);
      case undefined:
    }
    const { wish, text, uid, gid } = made;
    const link = { directory, name, wish, text, uid, gid, time: now(), number: this.#next };
    this.#next = (this.#next + 1) % PENDING_NUMBERS;
    this.#links.set(keyOf(directory, name), link);
    return link;
  }

  /** The same link under another name, in the place of whatever had that; it has not longer to wait for it. */
  rename(link: PendingLink, name: string): void {
    const { directory } = link;
    if (name === link.name) return;
    this.take(directory, link.name);
    this.#links.set(keyOf(directory, name), { ...link, name });
  }

  take(directory: Container, name: string): void {
    this.#links.delete(keyOf(directory, name));
  }

  #expire(): void {
    const oldest = Date.now() / 1000 - PENDING_LINK_MS / 1000;
    for (const [key, { time }] of this.#links) if (time.sec < oldest) this.#links.delete(key);
  }
}

function keyOf({ serial }: Container, name: string): string {
  return `${serial}/${name}`;
}
