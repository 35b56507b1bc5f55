import type { Timespec } from '../time.ts';
import { isLive, subtree, type Container } from './container.ts';

/** How long an unlinked control entry stays hidden if nothing else happens. */
export const TOMBSTONE_MS = 10_000;

const ALL_ENTRIES = -1;

/**
 * The entries of `bits` do not resolve until {@link TOMBSTONE_MS} after `atMs`, or until the container starts or is written
 * to. `seen`: what `Registry.changes` was to who unlinked; what happened since then counts as having happened afterwards,
 * so that all replicas hide the same.
 */
export function hide(container: Container, bits: number, atMs: number, seen = Infinity): void {
  if (container.revealedAt > seen) return;
  const born = container.stirredAt > seen ? ALL_ENTRIES : 0;
  container.hidden = hiddenNow(container, atMs) | bits | born;
  container.hiddenAt = atMs;
}

/** Bits of the entries that are hidden at this moment. */
export function hiddenNow(container: Container, atMs: number): number {
  return container.hidden !== 0 && atMs - container.hiddenAt < TOMBSTONE_MS ? container.hidden : 0;
}

/**
 * Whether a container that is being removed has only children that its removal cannot know, which die with it: those that
 * were discovered, whenever, as long as nobody named them; and, of one that ran while its removal began, those that processes
 * in it made since. The removal of a child may have ended it meanwhile.
 */
export function hasOnlyLateChildren(container: Container, atMs: number): boolean {
  if (hiddenNow(container, atMs) === 0) return false;
  const [, ...inner] = subtree(container);
  const made = inner.filter(({ found }) => !found || found.adopted);
  if (made.length === 0) return true;
  const begunMs = container.hiddenAt - TOMBSTONE_MS;
  const isSince = ({ sec, nsec }: Timespec) => sec * 1000 + nsec / 1e6 >= begunMs;
  if (!isLive(container) && !isSince(container.changed)) return false;
  return made.every(({ inside, changed }) => inside && isSince(changed));
}

/** Something happened to a container whose entries are being unlinked: what appears now is born hidden, or `rm -rf` would fail. */
export function keepHidden(container: Container, changes: number): void {
  container.stirredAt = changes;
  if (container.hidden !== 0) container.hidden = ALL_ENTRIES;
}

/** All entries that have something to say resolve again. */
export function reveal(container: Container, changes: number): void {
  container.revealedAt = changes;
  container.hidden = 0;
}
