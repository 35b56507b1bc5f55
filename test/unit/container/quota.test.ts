import { describe, expect, test } from 'vitest';
import { make } from '../../../src/container/make.ts';
import { counted, heightOf, refuseBeyond, refuseDeeper } from '../../../src/container/quota.ts';
import { rename } from '../../../src/container/rename.ts';
import { remove } from '../../../src/container/destroy.ts';
import type { UserLimits } from '../../../src/container/user-limits.ts';
import { FakeMachine } from '../../support/fake-machine.ts';

const ALICE = 1001;
/** One of her subordinate ids. */
const HERS = 100_007;
const BOB = 1002;

function limited(limits: Partial<UserLimits>): FakeMachine {
  const machine = new FakeMachine();
  Object.assign(machine, { userLimits: { ...machine.userLimits, ...limits } });
  const { volume } = machine.cgroupfs;
  volume.mkdirSync('/etc', { recursive: true });
  volume.writeFileSync('/etc/passwd', 'alice:x:1001:1001::/:\nbob:x:1002:1002::/:\n');
  volume.writeFileSync('/etc/subuid', 'alice:100000:65536\n');
  return machine;
}

const made = (machine: FakeMachine, name: string, uid: number) =>
  make(machine, machine.store.registry.root, name, 0o755, machine.request({ uid }));

describe('make', () => {
  test('EDQUOT beyond the number of a user’s containers, all his ids together; root and others go on', async () => {
    using machine = limited({ containers: 3 });
    made(machine, 'a', ALICE);
    made(machine, 'b', HERS);
    const third = made(machine, 'c', ALICE);
    for (const uid of [ALICE, HERS]) {
      expect(() => made(machine, 'd', uid)).toThrow(expect.objectContaining({ errno: 'EDQUOT' }));
    }
    for (const [name, uid] of [['bobs', BOB] as const, ['roots', 0] as const]) made(machine, name, uid);
    await remove(machine, third, machine.request(), () => undefined);
    expect(made(machine, 'd', HERS).uid).toBe(HERS);
  });

  test('counts who owns it now', () => {
    using machine = limited({ containers: 1 });
    const a = made(machine, 'a', ALICE);
    machine.store.commit([{ op: 'attr', serial: a.serial, uid: BOB, at: a.ctime }]);
    expect([...machine.store.registry.owned]).toEqual([[BOB, 1]]);
    expect(() => made(machine, 'b', BOB)).toThrow(/uid 1002 has 1 containers already/);
    made(machine, 'b', ALICE);
  });

  test('counts what the next daemon reads from the journal', () => {
    using machine = limited({});
    made(machine, 'a', ALICE);
    const { registry } = machine.nextDaemon().store;
    expect([...registry.owned]).toEqual([[ALICE, 1]]);
  });
});

describe('depth', () => {
  test('EDQUOT for what a user makes or moves too deep', async () => {
    using machine = limited({ depth: 2 });
    const deep = machine.container('a/b');
    expect(() => {
      refuseBeyond(machine, deep, ALICE, 1, 'make "c"');
    }).toThrow(/2 levels deep/);
    refuseBeyond(machine, deep, 0, 1, 'make "c"');
    refuseDeeper(machine, machine.container('a'), ALICE, 1, '');
    const tall = machine.container('t/in');
    expect([heightOf(machine.container('t')), heightOf(tall)]).toEqual([2, 1]);
    const to = { parent: machine.container('a'), name: 't', flags: 0 };
    const move = (uid: number) => rename(machine, machine.container('t'), to, machine.request({ uid }), () => false);
    await expect(move(ALICE)).rejects.toMatchObject({ errno: 'EDQUOT' });
    await move(0);
  });
});

test('counted refuses a user too many starts at once, and nobody else', async () => {
  using machine = limited({});
  const ends: (() => void)[] = [];
  const begin = (uid: number) => counted(machine, uid, 'start', () => new Promise<void>((end) => ends.push(end)));
  const begun = Array.from({ length: 16 }, () => begin(ALICE));
  await expect(begin(ALICE)).rejects.toMatchObject({ errno: 'EDQUOT' });
  const other = begin(BOB);
  for (const end of ends) end();
  await Promise.all([...begun, other]);
  const again = begin(ALICE);
  ends.at(-1)?.();
  await again;
});
