import type { Serial } from '../ids.ts';
import { entryOf, nodeId, type NodeId } from './node-id.ts';

/** Entry number of `.checkpoint` itself, where nothing is in it. */
export const CHECKPOINT_ENTRY = 14;

/**
 * Entries of a checkpoint are in slots of 2^16, in the last quarter of a container's entries: number 0 of a slot is its
 * directory, the others are its files. Each checkpoint has a slot of its own, so the kernel never takes one for another.
 */
const SLOT_SPAN = 2 ** 16;
const FIRST_SLOT = 192;

/** Names of an archive that mean nothing. */
export const GHOST_SLOT = 254;
/** Images that arrive. */
export const ARRIVAL_SLOT = 255;

/** Slots of checkpoints that were taken; after the last comes the first. */
const TAKES = GHOST_SLOT - FIRST_SLOT;

/** Files of one slot. */
export const SLOT_FILES_LIMIT = SLOT_SPAN - 1;

export function takeSlot(number: number): number {
  return FIRST_SLOT + (number % TAKES);
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
