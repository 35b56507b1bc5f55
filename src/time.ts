/** A file time as `struct timespec` has it. */
export interface Timespec {
  readonly sec: number;
  readonly nsec: number;
}

/** Now, in milliseconds' steps, as coarse as tmpfs's own clock (`current_time` reads the tick). */
export function now(): Timespec {
  const ms = Date.now();
  return { sec: Math.floor(ms / 1000), nsec: (ms % 1000) * 1_000_000 };
}

/** CLOCK_MONOTONIC in seconds, as the kernel's events have it. */
export function monotonicSec(): number {
  return Number(process.hrtime.bigint()) / 1e9;
}
