import type { Serial } from '../ids.ts';
import { entryOf, nodeId, type NodeId } from './node-id.ts';

/** Entry number of `.checkpoint` itself, where nothing is in it. */
export const CHECKPOINT_ENTRY = 14;

/**
 * Entries of a checkpoint are in slots of 2^16, in the last quarter of a container's entries: number 0 of a slot is its
 * directory, the others are its files. Each checkpoint that is there has a slot of its own, so the kernel never takes one for
 * another; what it keeps of a former one it drops when it opens a file, or sees other times.
 */
const SLOT_SPAN = 2 ** 16;
const FIRST_SLOT = 192;

/** Names of an archive that mean nothing. */
export const GHOST_SLOT = 254;
/** Images that arrive. */
export const ARRIVAL_SLOT = 255;

/** Slots of the checkpoints of one container; after the last comes the first. */
export const TAKES_LIMIT = 62;

/** Files of one slot. */
export const SLOT_FILES_LIMIT = SLOT_SPAN - 1;

/** The first slot behind `last` that is not `used`; `undefined` if all are. */
export function slotBehind(last: number | undefined, used: ReadonlySet<number | undefined>): number | undefined {
  const from = last === undefined ? 0 : last - FIRST_SLOT + 1;
  for (let tried = 0; tried < TAKES_LIMIT; tried++) {
    const slot = FIRST_SLOT + ((from + tried) % TAKES_LIMIT);
    if (!used.has(slot)) return slot;
  }
  return undefined;
}

export function slotId(serial: Serial, slot: number, index: number): NodeId {
  return nodeId(serial, slot * SLOT_SPAN + index);
}

/** 0 for an id that is in none. */
export function slotOf(id: NodeId): number {
  const slot = (entryOf(id) / SLOT_SPAN) | 0;
  return slot >= FIRST_SLOT ? slot : 0;
}

export function indexOf(id: NodeId): number {
  return entryOf(id) & (SLOT_SPAN - 1);
}

/** Whether it is in `.checkpoint`, or is it. */
export function isImages(id: NodeId): boolean {
  return slotOf(id) !== 0 || entryOf(id) === CHECKPOINT_ENTRY;
}
