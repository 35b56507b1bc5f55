import { expect, test } from 'vitest';
import { pid } from '../../../src/ids.ts';
import { Tracers } from '../../../src/kernel/tracers.ts';
import { errnoOf } from '../../support/fake-tree.ts';

/** A tracer that says nothing: whoever is told to stop does not. */
const SILENT = '/bin/true';

const [ALICE, BOB, ROOT] = [1001, 1002, undefined];
const PER_UID = 16;

test('a user whose processes do not stop is refused more, and nobody else is', async () => {
  const tracers = new Tracers(SILENT);
  const seize = (account: number | undefined) => tracers.seize(pid(1), false, account);
  const seized = [];
  for (let count = 0; count < PER_UID; count++) seized.push(await seize(ALICE));
  expect(await errnoOf(() => seize(ALICE))).toBe('EDQUOT');
  seized.push(await seize(BOB), await seize(ROOT));
  for (const tracee of seized) await tracee.end();
  seized.push(await seize(ALICE));
  await seized.at(-1)?.end();
});

test('all users together are refused more than there are tracers, and root is not', async () => {
  const tracers = new Tracers(SILENT);
  const seized = [];
  for (let user = 1; user <= 4; user++) {
    for (let count = 0; count < PER_UID; count++) seized.push(await tracers.seize(pid(1), false, user));
  }
  expect(await errnoOf(() => tracers.seize(pid(1), false, BOB))).toBe('EAGAIN');
  seized.push(await tracers.seize(pid(1), false, ROOT));
  for (const tracee of seized) await tracee.end();
});
