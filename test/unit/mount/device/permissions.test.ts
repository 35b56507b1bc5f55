import { expect, it } from 'vitest';
import { OPERATIONS } from '../../../../mount/device/ops/table.ts';
import { CONTROL_ENTRIES, NS_ENTRIES } from '../../../../src/tree/control/table.ts';
import { REFUSED_OPERATIONS } from '../../../../mount/device/ops/refused.ts';
import { ENTRY_PERMISSIONS, OPERATION_PERMISSIONS } from '../../../support/permissions.ts';

it('has attempts of two users for every operation, or says why none can be made', () => {
  expect(Object.keys(OPERATION_PERMISSIONS).sort()).toEqual(OPERATIONS.map(({ name }) => name).sort());
});

it('calls refused what is refused to everybody', () => {
  const refused = Object.entries(OPERATION_PERMISSIONS).filter(([, row]) => row === 'refused');
  const known = REFUSED_OPERATIONS.map(({ name }) => name).filter((name) => name !== 'NOTIFY_REPLY');
  expect(refused.map(([name]) => name).sort()).toEqual(known.sort());
});

it('has attempts for every control entry, and for each in .ns', () => {
  const names = [...CONTROL_ENTRIES.map(({ name }) => name), ...NS_ENTRIES.map(({ name }) => `.ns/${name}`)];
  expect(Object.keys(ENTRY_PERMISSIONS).sort()).toEqual(names.sort());
});
