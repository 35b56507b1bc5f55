import { OUTPUT_LIMIT_BYTES } from '../container/output-limit.ts';
import { UsageError } from './command.ts';

const UNITS: Readonly<Record<string, number>> = { '': 1, K: 1 << 10, M: 1 << 20, G: 1 << 30 };

/** Bytes of `64M`: a number, and K, M or G for powers of 1024; 0 is no limit. Throws UsageError. */
export function outputLimitFrom(text: string | undefined): number {
  if (text === undefined) return OUTPUT_LIMIT_BYTES;
  const [, number, unit = ''] = /^(\d{1,12})([KMG]?)$/.exec(text) ?? [];
  const bytes = Number(number) * (UNITS[unit] ?? 1);
  if (!Number.isSafeInteger(bytes)) {
    throw new UsageError(`--output-limit is a number with K, M or G behind it, or 0; not ${JSON.stringify(text)}`);
  }
  return bytes;
}
