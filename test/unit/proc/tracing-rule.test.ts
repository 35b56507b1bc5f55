import { describe, expect, test } from 'vitest';
import type { Pid } from '../../../src/ids.ts';
import { credentialsOf, maySearch } from '../../../src/proc/credentials.ts';
import { whyNotTrace } from '../../../src/proc/tracing-rule.ts';
import { FakeKernel, type FakeNamespace } from '../../support/fake-kernel.ts';
import { procTree, type FakeProcess } from '../../support/proc-tree.ts';

const ALL_CAPS = 0x1ff_ffff_ffffn;
const SYS_PTRACE = 1n << 19n;
const CALLER = 20 as Pid;
const TARGET = 30 as Pid;

const MACHINE: FakeNamespace = { inode: 6, owner: 0 };
const ALICES: FakeNamespace = { inode: 60, parent: MACHINE, owner: 1001 };
const NESTED: FakeNamespace = { inode: 61, parent: ALICES, owner: 1001 };

const ids = (id: number) => ({ uids: [id, id, id, id], gids: [id, id, id, id] });
const ROOT = { ...ids(0), capPermitted: ALL_CAPS, capEffective: ALL_CAPS };
const ALICE = ids(1001);
const BOB = ids(1002);

interface Given extends Partial<FakeProcess> {
  readonly in?: FakeNamespace;
}

/** Whether the caller may trace the target; the reason if it may not. */
function verdict(caller: Given, target: Given, files: Readonly<Record<string, string>> = {}): string | undefined {
  const kernel = new FakeKernel();
  const rows: [Pid, Given][] = [
    [CALLER, caller],
    [TARGET, target],
  ];
  const { volume, files: access } = procTree(
    ...rows.map(([pid, given]) => ({ ppid: 1, ...given, pid, ns: { user: (given.in ?? MACHINE).inode } })),
  );
  for (const [pid, given] of rows) kernel.namespaces.set(`${pid}/user`, given.in ?? MACHINE);
  kernel.namespaces.set(`${process.pid}/user`, MACHINE);
  volume.mkdirSync('/proc/sys/kernel/yama', { recursive: true });
  for (const [pid, given] of rows) {
    const inside = given.in ? '0 1001 1' : '0 0 4294967295';
    for (const kind of ['uid', 'gid']) volume.writeFileSync(`/proc/${pid}/${kind}_map`, `${inside}\n`);
  }
  for (const [path, text] of Object.entries(files)) {
    volume.mkdirSync(path.slice(0, path.lastIndexOf('/')), { recursive: true });
    volume.writeFileSync(path, text);
  }
  const asked = { files: access, kernel };
  const answer = whyNotTrace(asked, credentialsOf(asked, CALLER)!, TARGET);
  expect(kernel.openFds).toEqual([]);
  return answer;
}

describe('whyNotTrace', () => {
  test.each<[string, Given, Given, boolean]>([
    ['root, root', ROOT, ROOT, true],
    ['root, alice', ROOT, ALICE, true],
    ['alice, alice', ALICE, ALICE, true],
    ['alice, bob', ALICE, BOB, false],
    ['alice, root', ALICE, ROOT, false],
    ['root without capabilities, alice', ids(0), ALICE, false],
    ['root without capabilities, root', ids(0), ROOT, false],
    ['alice, one of hers that is another effective user', ALICE, { ...ALICE, uids: [1001, 0, 0, 0] }, false],
    ['alice, one of hers that has another saved user', ALICE, { ...ALICE, uids: [1001, 1001, 1002, 1001] }, false],
    ['alice, one of hers that has another group', ALICE, { ...ALICE, gids: [1001, 1001, 1003, 1001] }, false],
    ['alice by her effective id only, alice', { ...ALICE, uids: [1002, 1001, 1001, 1001] }, ALICE, false],
    ['alice, one of hers with capabilities', ALICE, { ...ALICE, capPermitted: SYS_PTRACE }, false],
    ['alice with more, one of hers with some', { ...ALICE, capPermitted: 3n }, { ...ALICE, capPermitted: 1n }, true],
    ['alice, one of hers that is not dumpable', ALICE, { ...ALICE, owner: [0, 0] }, false],
    ['alice with CAP_SYS_PTRACE, bob', { ...ALICE, capPermitted: SYS_PTRACE, capEffective: SYS_PTRACE }, BOB, true],
    ['alice with CAP_SYS_PTRACE permitted only, bob', { ...ALICE, capPermitted: SYS_PTRACE }, BOB, false],
    ['alice, hers in a user namespace of hers', ALICE, { ...ALICE, capPermitted: ALL_CAPS, in: ALICES }, true],
    ['alice, hers in a nested one', ALICE, { ...ALICE, capPermitted: ALL_CAPS, in: NESTED }, false],
    ['bob, one in a user namespace of hers', BOB, { ...ALICE, in: ALICES }, false],
    ['the root of her namespace, another in it', { ...ROOT, ...ALICE, in: ALICES }, { ...ALICE, in: ALICES }, true],
    ['the root of her namespace, hers outside', { ...ROOT, ...ALICE, in: ALICES }, ALICE, false],
    ['the root of her namespace, root outside', { ...ROOT, ...ALICE, in: ALICES }, ROOT, false],
    ['root, one in her namespace', ROOT, { ...ALICE, in: NESTED }, true],
    ['one without capabilities in her namespace, its root', { ...ALICE, in: ALICES }, { ...ALICE, in: ALICES }, false],
  ])('%s: %4$s', (_, caller, target, may) => {
    expect(verdict(caller, target) === undefined).toBe(may);
  });

  test('a process may always trace itself', () => {
    expect(verdict({ ...ALICE, tgid: 5 }, { ...ALICE, tgid: 5, owner: [0, 0] })).toBeUndefined();
  });

  test.each([
    ['1', 'a stranger', {}, false],
    ['1', 'an ancestor', { ppid: CALLER }, true],
    ['2', 'an ancestor', { ppid: CALLER }, false],
    ['3', 'an ancestor', { ppid: CALLER }, false],
  ])('kernel.yama.ptrace_scope %s, for %s', (scope, _, target, may) => {
    const files = { '/proc/sys/kernel/yama/ptrace_scope': `${scope}\n` };
    expect(verdict(ALICE, { ...ALICE, ...target }, files) === undefined).toBe(may);
  });

  test.each([
    ['1', true],
    ['2', true],
    ['3', false],
  ])('kernel.yama.ptrace_scope %s, for root', (scope, may) => {
    expect(verdict(ROOT, ALICE, { '/proc/sys/kernel/yama/ptrace_scope': scope }) === undefined).toBe(may);
  });

  test.each([
    ['unconfined', 'docker-default (enforce)', true],
    ['docker-default (enforce)', 'docker-default (enforce)', true],
    ['docker-default (enforce)', 'unconfined', false],
  ])('a caller labelled %j may not be known to trace %j', (mine, its, may) => {
    const files = { [`/proc/${CALLER}/attr/current`]: `${mine}\n`, [`/proc/${TARGET}/attr/current`]: `${its}\n` };
    expect(verdict(ALICE, ALICE, files) === undefined).toBe(may);
  });
});

describe('maySearch', () => {
  const asked = (() => {
    const kernel = new FakeKernel();
    kernel.namespaces.set(`${process.pid}/user`, MACHINE);
    const { files } = procTree();
    return { kernel, files };
  })();
  const who = {
    pid: CALLER,
    tgid: CALLER,
    groups: [7],
    capPermitted: 0n,
    capEffective: 0n,
    userNamespace: 6,
    ...ALICE,
  };

  test.each([
    [{ uid: 1001, gid: 0, mode: 0o700 }, true],
    [{ uid: 1001, gid: 0, mode: 0o077 }, false],
    [{ uid: 0, gid: 1001, mode: 0o710 }, true],
    [{ uid: 0, gid: 7, mode: 0o710 }, true],
    [{ uid: 0, gid: 7, mode: 0o701 }, false],
    [{ uid: 0, gid: 0, mode: 0o711 }, true],
    [{ uid: 0, gid: 0, mode: 0o754 }, false],
  ])('alice, of group 7 too, in %j: %s', (directory, may) => {
    expect(maySearch(asked, who, directory)).toBe(may);
  });

  test('who may override permissions may', () => {
    expect(maySearch(asked, { ...who, capEffective: 2n }, { uid: 0, gid: 0, mode: 0 })).toBe(true);
  });
});
