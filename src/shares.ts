/** Whose something is: a user with all his ids (`accountFor`); `undefined` is root. */
export type Account = number | string | undefined;

export interface SharesOptions {
  /** What one user may have. */
  readonly each: number;
  /** What all users may have together, and root besides. */
  readonly all: number;
}

/**
 * Something there is not enough of: no user takes it from the others, nor all of them from root. Whoever has nothing yet is
 * not refused for how much he wants.
 */
export class Shares {
  readonly #limits: SharesOptions;
  readonly #users = new Map<Account, number>();
  #ofUsers = 0;
  #ofRoot = 0;

  constructor(limits: SharesOptions) {
    this.#limits = limits;
  }

  of(account: Account): number {
    return account === undefined ? this.#ofRoot : (this.#users.get(account) ?? 0);
  }

  /** What `amount` more would be beyond, if anything: his own share, or what there is. */
  beyond(account: Account, amount = 1): 'share' | 'all' | undefined {
    const { each, all } = this.#limits;
    if (account === undefined) return exceeds(this.#ofRoot, amount, all) ? 'all' : undefined;
    if (exceeds(this.of(account), amount, each)) return 'share';
    return exceeds(this.#ofUsers, amount, all) ? 'all' : undefined;
  }

  take(account: Account, amount = 1): void {
    if (account === undefined) {
      this.#ofRoot += amount;
      return;
    }
    this.#ofUsers += amount;
    const now = this.of(account) + amount;
    if (now > 0) this.#users.set(account, now);
    else this.#users.delete(account);
  }

  give(account: Account, amount = 1): void {
    this.take(account, -amount);
  }
}

function exceeds(taken: number, amount: number, limit: number): boolean {
  return taken > 0 && taken + amount > limit;
}
