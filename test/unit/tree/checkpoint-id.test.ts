import { expect, test } from 'vitest';
import type { Serial } from '../../../src/ids.ts';
import {
  ARRIVAL_SLOT,
  CHECKPOINT_ENTRY,
  GHOST_SLOT,
  indexOf,
  slotBehind,
  slotId,
  slotOf,
  TAKES_LIMIT,
} from '../../../src/tree/checkpoint-id.ts';
import { nodeId, serialOf } from '../../../src/tree/node-id.ts';

const serial = (2 ** 29 - 1) as Serial;
const FIRST = slotBehind(undefined, new Set())!;

test('an id tells container, slot and number, up to the last container', () => {
  for (const slot of [FIRST, FIRST + TAKES_LIMIT - 1, GHOST_SLOT, ARRIVAL_SLOT]) {
    for (const index of [0, 1, 65_535]) {
      const id = slotId(serial, slot, index);
      expect(Number.isSafeInteger(id)).toBe(true);
      expect([serialOf(id), slotOf(id), indexOf(id)]).toEqual([serial, slot, index]);
    }
  }
});

test('slots of checkpoints begin anew before those with a meaning of their own', () => {
  const slots: number[] = [];
  for (let number = 0; number < 200; number++) slots.push(slotBehind(slots.at(-1), new Set())!);
  expect(slots).not.toContain(GHOST_SLOT);
  expect(slots).not.toContain(ARRIVAL_SLOT);
  expect([new Set(slots).size, slots[TAKES_LIMIT]]).toEqual([TAKES_LIMIT, FIRST]);
});

test('a slot is given to one checkpoint at a time, and to none if all are', () => {
  const used = new Set<number>();
  for (let number = 0; number < TAKES_LIMIT; number++) used.add(slotBehind(FIRST + 7, used)!);
  expect(used.size).toBe(TAKES_LIMIT);
  expect(slotBehind(FIRST, used)).toBeUndefined();
  used.delete(FIRST + 7);
  expect(slotBehind(FIRST + 7, used)).toBe(FIRST + 7);
});

test('ids of control entries are in none', () => {
  for (const entry of [1, 2, CHECKPOINT_ENTRY, 30, 65_535]) expect(slotOf(nodeId(serial, entry))).toBe(0);
});
