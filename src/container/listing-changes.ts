import type { Timespec } from '../time.ts';
import type { Change } from './change.ts';
import type { Container } from './container.ts';

const MILLISECOND_NS = 1_000_000;
const MAX_NSEC = 999_999_999;

/** Changes by which control entries come, go, or are others, without the kernel having asked for that there. */
const OF_ENTRIES: ReadonlySet<Change['op']> = new Set([
  'start',
  'phase',
  'exit',
  'error',
  'want',
  'reveal',
  'checkpoint',
  'pin',
  'unshown',
]);

/** Whether what a container's directories list, or who owns that, is other after the change. */
export function altersListing({ op }: Change): boolean {
  return op === 'attr' || OF_ENTRIES.has(op);
}

/**
 * Moves the mtime of the container's directory, as of any in which names come and go. By it the kernel knows that a listing
 * is old which it got, but had not kept yet, when it was told to forget it: so it is another one each time, by a nanosecond
 * if the change has no time. The ctime stays: tar takes a directory whose ctime moves while it reads for damaged, and
 * containers end and are refused things while they are archived.
 */
export function restamp(container: Container, change: Change): void {
  if (!OF_ENTRIES.has(change.op)) return;
  const { mtime } = container;
  container.mtime = next(mtime, 'at' in change ? change.at : mtime);
}

/** `at`, or, if `last` is of the same millisecond or it is, a nanosecond after that: never a time that was there before. */
function next(last: Timespec, at: Timespec): Timespec {
  const isOfThatMoment = last.sec === at.sec && last.nsec >= at.nsec && last.nsec - at.nsec < MILLISECOND_NS;
  if (!isOfThatMoment) return at;
  return last.nsec < MAX_NSEC ? { sec: last.sec, nsec: last.nsec + 1 } : { sec: last.sec + 1, nsec: 0 };
}
