import { expect, test } from 'vitest';
import type { Serial } from '../../../src/ids.ts';
import {
  ARRIVAL_SLOT,
  CHECKPOINT_ENTRY,
  GHOST_SLOT,
  indexOf,
  slotId,
  slotOf,
  takeSlot,
} from '../../../src/tree/checkpoint-id.ts';
import { nodeId, serialOf } from '../../../src/tree/node-id.ts';

const serial = (2 ** 29 - 1) as Serial;

test('an id tells container, slot and number, up to the last container', () => {
  for (const slot of [takeSlot(0), takeSlot(61), GHOST_SLOT, ARRIVAL_SLOT]) {
    for (const index of [0, 1, 65_535]) {
      const id = slotId(serial, slot, index);
      expect(Number.isSafeInteger(id)).toBe(true);
      expect([serialOf(id), slotOf(id), indexOf(id)]).toEqual([serial, slot, index]);
    }
  }
});

test('slots of checkpoints begin anew before those with a meaning of their own', () => {
  const slots = Array.from({ length: 200 }, (_, number) => takeSlot(number));
  expect(slots).not.toContain(GHOST_SLOT);
  expect(slots).not.toContain(ARRIVAL_SLOT);
  expect(new Set(slots).size).toBe(62);
});

test('ids of control entries are in none', () => {
  for (const entry of [1, 2, CHECKPOINT_ENTRY, 30, 65_535]) expect(slotOf(nodeId(serial, entry))).toBe(0);
});
