import { expect, test } from 'vitest';
import { pid } from '../../../src/ids.ts';
import { Tracers } from '../../../src/kernel/tracers.ts';
import { errnoOf } from '../../support/fake-tree.ts';

/** A tracer that says nothing: whoever is told to stop does not. */
const SILENT = '/bin/true';

const [ALICE, BOB, ROOT] = [1001, 1002, undefined];
const PER_UID = 16;

async function seized(tracers: Tracers, account: number | undefined) {
  const tracee = tracers.take(pid(1), account);
  await tracee.seize(false);
  return tracee;
}

test('a user whose processes do not stop is refused more, and nobody else is', async () => {
  const tracers = new Tracers(SILENT);
  const seize = (account: number | undefined) => seized(tracers, account);
  const all = [];
  for (let count = 0; count < PER_UID; count++) all.push(await seize(ALICE));
  expect(await errnoOf(() => seize(ALICE))).toBe('EDQUOT');
  all.push(await seize(BOB), await seize(ROOT));
  for (const tracee of all) await tracee.end();
  all.push(await seize(ALICE));
  await all.at(-1)?.end();
});

test('all users together are refused more than there are tracers, and root is not', async () => {
  const tracers = new Tracers(SILENT);
  const all = [];
  for (let user = 1; user <= 4; user++) {
    for (let count = 0; count < PER_UID; count++) all.push(await seized(tracers, user));
  }
  expect(await errnoOf(() => seized(tracers, BOB))).toBe('EAGAIN');
  all.push(await seized(tracers, ROOT));
  for (const tracee of all) await tracee.end();
});
