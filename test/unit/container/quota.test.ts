import { describe, expect, test } from 'vitest';
import type { Container } from '../../../src/container/container.ts';
import { make } from '../../../src/container/make.ts';
import { counted, heightOf, refuseBeyond, refuseDeeper } from '../../../src/container/quota.ts';
import { rename } from '../../../src/container/rename.ts';
import { remove } from '../../../src/container/destroy.ts';
import type { UserLimits } from '../../../src/container/user-limits.ts';
import { FakeMachine } from '../../support/fake-machine.ts';

/** renameat2(2). */
const EXCHANGE = 2;

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
    made(machine, 'bobs', BOB);
    for (let number = 0; number < 5; number++) made(machine, `roots${number}`, 0);
    await remove(machine, third, machine.request(), () => undefined);
    expect(made(machine, 'd', HERS).uid).toBe(HERS);
  });

  test('counts for a user who is known what is his, in whoever’s range his uid is; for one by number; and nobody’s for none', () => {
    using machine = limited({ containers: 1 });
    machine.cgroupfs.volume.writeFileSync('/etc/subuid', 'alice:1000:1000\n4711:200000:10\n');
    made(machine, 'a', ALICE);
    made(machine, 'b', BOB);
    for (const [name, uid] of [['c', 200_003] as const, ['d', 200_010] as const]) made(machine, name, uid);
    for (const uid of [ALICE, BOB, 1999, 4711, 200_009, 200_010]) {
      expect(() => made(machine, `of-${uid}`, uid), String(uid)).toThrow(expect.objectContaining({ errno: 'EDQUOT' }));
    }
    made(machine, 'e', 2000);
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
    // What is too deep already keeps its place, and may have another name there.
    await rename(
      machine,
      tall,
      { ...to, parent: tall.parent!, name: 'out' },
      machine.request({ uid: ALICE }),
      () => false,
    );
  });

  test('EDQUOT for an exchange after which either of the two would be too deep', async () => {
    using machine = limited({ depth: 3 });
    const deep = machine.container('a/b/c');
    machine.container('flat');
    machine.container('tall/in');
    const pid = machine.spawn('/sys/fs/cgroup/shell');
    const exchange = (one: string, parent: Container, name: string, uid: number) => {
      const to = { parent, name, flags: EXCHANGE };
      return rename(machine, machine.container(one), to, machine.request({ pid, uid }), () => false);
    };
    await expect(exchange('tall', deep.parent!, 'c', ALICE)).rejects.toMatchObject({ errno: 'EDQUOT' });
    await expect(exchange('a/b/c', machine.store.registry.root, 'tall', ALICE)).rejects.toMatchObject({
      errno: 'EDQUOT',
    });
    await exchange('flat', deep.parent!, 'c', ALICE);
    await exchange('tall', machine.container('a/b'), 'c', 0);
  });
});

test('counted refuses a user too many starts at once, and nobody else', async () => {
  using machine = limited({});
  const ends: (() => void)[] = [];
  const begin = (uid: number) => counted(machine, uid, 'start', () => new Promise<void>((end) => ends.push(end)));
  const begun = Array.from({ length: 16 }, () => begin(ALICE));
  await expect(begin(ALICE)).rejects.toMatchObject({ errno: 'EDQUOT' });
  // One is done, and one more begins, while the others are under way.
  ends.shift()?.();
  await begun.shift();
  begun.push(begin(ALICE));
  await expect(begin(ALICE)).rejects.toMatchObject({ errno: 'EDQUOT' });
  const other = begin(BOB);
  for (const end of ends) end();
  await Promise.all([...begun, other]);
  const again = begin(ALICE);
  ends.at(-1)?.();
  await again;
  const failed = counted(machine, BOB, 'start', () => Promise.reject(new Error('no')));
  await expect(failed).rejects.toThrow('no');
  const all = Array.from({ length: 16 }, () => begin(BOB));
  for (const end of ends) end();
  await Promise.all(all);
});
