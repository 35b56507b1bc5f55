import { setImmediate as nextTurn } from 'node:timers/promises';

/** How long work over many items may hold the event loop before requests get their turn. */
const SLICE_MS = 0.5;

/** Visits every item, letting the event loop run whenever {@link SLICE_MS} have passed. Nothing is awaited for few items. */
export async function forEachPaced<T>(items: Iterable<T>, visit: (item: T) => void): Promise<void> {
  await findPaced(items, (item) => {
    visit(item);
    return false;
  });
}

/** The first item that is wanted, in the very turn in which it was looked at; paced as {@link forEachPaced}. */
export async function findPaced<T>(items: Iterable<T>, isWanted: (item: T) => boolean): Promise<T | undefined> {
  let sliceStart = performance.now();
  for (const item of items) {
    if (performance.now() - sliceStart >= SLICE_MS) {
      await nextTurn();
      sliceStart = performance.now();
    }
    if (isWanted(item)) return item;
  }
  return undefined;
}

/** Visits every item, at most `limit` at once. */
export async function forEachAtOnce<T>(
  items: Iterable<T>,
  limit: number,
  visit: (item: T) => Promise<void>,
): Promise<void> {
  const rest = items[Symbol.iterator]();
  const work = async () => {
    for (let next = rest.next(); next.done !== true; next = rest.next()) await visit(next.value);
  };
  await Promise.all(Array.from({ length: limit }, work));
}
