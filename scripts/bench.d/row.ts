/** One line of the table: what was measured, and what was asked for. */
export interface Row {
  readonly what: string;
  readonly unit: Unit;
  readonly ours?: number;
  /** Name of what it is compared with. */
  readonly peer?: string;
  readonly theirs?: number;
  /** Median of the ratios of pairs, where pairs were measured; otherwise ours / theirs. */
  readonly ratio?: number;
  /** The figure: ours, or the ratio, is at most this. Absent: the row is for information. */
  readonly atMost?: { readonly of: 'ours' | 'ratio'; readonly limit: number };
  /** Why it, or its peer, could not be measured: its own message. */
  readonly failure?: string;
  readonly note?: string;
}

export type Unit = 'µs' | 'ms' | 's' | 'KiB' | 'requests' | '%';

export type Verdict = 'pass' | 'FALLS SHORT' | 'did not run' | '';

export function verdictOf({ ours, ratio, atMost, failure }: Row): Verdict {
  if (failure !== undefined) return 'did not run';
  if (!atMost) return '';
  const value = atMost.of === 'ours' ? ours : ratio;
  return value !== undefined && value <= atMost.limit ? 'pass' : 'FALLS SHORT';
}
