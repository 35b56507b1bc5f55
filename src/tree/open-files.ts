import { FsError } from '../errno.ts';
import { Shares, type Account } from '../shares.ts';

/** Control files that all users have open together, and root besides; more are refused with ENFILE. */
const CONTROL_FILES_LIMIT = 65_536;

/** Whose the open control files are: nobody keeps the others from opening theirs. */
export class OpenFiles {
  readonly #openers = new Map<number, Account>();
  readonly #shares: Shares;
  readonly #accountOf: (uid: number) => Account;

  /** `perUser`: how many one user but root may have open. */
  constructor(perUser: number, accountOf: (uid: number) => Account) {
    this.#shares = new Shares({ each: perUser, all: CONTROL_FILES_LIMIT });
    this.#accountOf = accountOf;
  }

  /** Whose it is from here on. Throws EDQUOT for too many of one user, ENFILE for too many of all. */
  open(handle: number, uid: number, what: string): Account {
    const account = this.#accountOf(uid);
    if (this.#openers.has(handle)) return account;
    switch (this.#shares.beyond(account)) {
      case 'share': {
        const its = this.#shares.of(account);
        throw new FsError(
          'EDQUOT',
          `Cannot open ${what}: uid ${uid} has ${its} control files open already; close some`,
        );
      }
      case 'all':
        throw new FsError('ENFILE', `${CONTROL_FILES_LIMIT} control files are open already; close some`);
      case undefined:
    }
    this.#shares.take(account);
    this.#openers.set(handle, account);
    return account;
  }

  release(handle: number): void {
    if (!this.#openers.has(handle)) return;
    this.#shares.give(this.#openers.get(handle));
    this.#openers.delete(handle);
  }
}
