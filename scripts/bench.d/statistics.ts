/** The middle one; of an even number, the upper of the two. Throws for none. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted[sorted.length >> 1];
  if (middle === undefined) throw new Error('no values to take the median of');
  return middle;
}

/** Median of `ours[i] / theirs[i]`: pairs were measured one after the other, so a slow second slows both. */
export function medianRatio(ours: readonly number[], theirs: readonly number[]): number {
  return median(ours.map((value, index) => value / (theirs[index] ?? Number.NaN)));
}
