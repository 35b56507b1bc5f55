import type { Helpers } from './helpers.ts';
import type { Row } from './row.ts';

/** What belongs together in the table. One more group is one file in groups/, and one row of `GROUPS` (groups/table.ts). */
export interface Group {
  readonly name: string;
  readonly title: string;
  /** How it was measured: a sentence or two for the reader of the table. */
  readonly method: string;
  /** Rows as they are known, so that what was measured before a failure is shown. */
  measure(bench: Bench): AsyncGenerator<Row>;
}

export interface Bench {
  readonly helpers: Helpers;
  /** Fewer rounds: for a first look. */
  readonly quick: boolean;
  /** A directory of this run's own, on disk. */
  readonly scratch: string;
}
