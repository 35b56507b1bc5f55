import { describe, expect, test } from 'vitest';
import type { Container } from '../../../src/container/container.ts';
import { start } from '../../../src/container/start.ts';
import type { Pid } from '../../../src/ids.ts';
import { cloneFlags, DEFAULT_KINDS } from '../../../src/namespaces.ts';
import { FakeMachine, OWN_NAMESPACES } from '../../support/fake-machine.ts';
import { setNamespace } from '../../support/proc-tree.ts';

const ALICE = 1001;
const BOB = 1002;
/** A mount namespace that is not the daemon's. */
const ELSEWHERE = 77;

/** A machine that knows alice, who has subordinate ids, and bob, who has none. */
class Users extends FakeMachine {
  constructor() {
    super();
    const { volume } = this.cgroupfs;
    volume.mkdirSync('/etc', { recursive: true });
    volume.writeFileSync(
      '/etc/passwd',
      'root:x:0:0::/:\nalice:x:1001:2001::/:\nbob:x:1002:1002::/:\nroots:x:9:0::/:\n',
    );
    volume.writeFileSync('/etc/subuid', 'bob:1000:5\nalice:100000:65536\n');
    volume.writeFileSync('/etc/subgid', 'alice:200000:10\n');
    setNamespace(volume, 'self', 'mnt', OWN_NAMESPACES.mnt);
  }

  owned(path: string, uid: number): Container {
    const container = this.container(path);
    this.store.commit([{ op: 'attr', serial: container.serial, uid, at: container.ctime }]);
    return container;
  }

  /** A shell of this user, which asks. */
  shell(uid: number, { root = '/', mnt = OWN_NAMESPACES.mnt } = {}) {
    const pid = this.spawn(this.cgroupBase, { uids: [uid, uid, uid, uid], ns: { ...OWN_NAMESPACES, mnt } });
    this.cgroupfs.volume.symlinkSync(root, `/proc/${pid}/root`);
    return this.request({ pid, uid });
  }

  /** What the kernel says of the init's user namespace: who is 0 in it. */
  rootIn({ init }: Container, outside: number): void {
    this.cgroupfs.volume.writeFileSync(`/proc/${init!.pid}/uid_map`, `         0 ${outside} 1\n`);
  }
}

const refusal = (message: string) => ({ errno: 'EPERM', message: expect.stringContaining(message) as string });

describe('start, of a user’s container', () => {
  test('has his ids in a new user namespace, as newuidmap would let him map them', async () => {
    using machine = new Users();
    for (const request of [machine.shell(ALICE), machine.request()]) {
      const web = machine.owned(`web${request.unique}`, ALICE);
      await start(machine, web, request);
      expect(machine.starts.at(-1)).toMatchObject({
        flags: cloneFlags([...DEFAULT_KINDS, 'user']),
        owner: { uid: ALICE, gid: 2001, uidMap: '0 1001 1\n1 100000 65536\n', gidMap: '0 2001 1\n1 200000 10\n' },
      });
      expect(web.kinds).toContain('user');
    }
  });

  test('maps no range that his own id is in, and none where he has none', async () => {
    using machine = new Users();
    await start(machine, machine.owned('web', BOB), machine.shell(BOB));
    expect(machine.starts).toMatchObject([{ owner: { uid: BOB, uidMap: '0 1002 1\n', gidMap: '0 1002 1\n' } }]);
  });

  test('is in the user namespace of his own around it', async () => {
    using machine = new Users();
    const web = machine.owned('web', ALICE);
    await start(machine, web, machine.shell(ALICE));
    machine.rootIn(web, ALICE);
    await start(machine, machine.owned('web/job', ALICE), machine.shell(ALICE));
    expect(machine.starts[1]).toMatchObject({ flags: cloneFlags(DEFAULT_KINDS), owner: { uid: ALICE, uidMap: '' } });
  });

  test.each([
    ['root', 0],
    ['another user', BOB],
  ])('EPERM for a container of %s in one that runs, whoever asks', async (_, owner) => {
    using machine = new Users();
    const web = machine.owned('web', ALICE);
    await start(machine, web, machine.shell(ALICE));
    machine.rootIn(web, ALICE);
    const job = machine.owned('web/job', owner);
    await expect(start(machine, job, machine.request())).rejects.toMatchObject(
      refusal('only containers of that owner'),
    );
    machine.cgroupfs.volume.writeFileSync(`/proc/${web.init!.pid}/uid_map`, '');
    await expect(start(machine, job, machine.request())).rejects.toMatchObject(refusal('of nobody known'));
    expect(machine.starts).toHaveLength(1);
  });

  test('EPERM for who is neither its owner nor root', async () => {
    using machine = new Users();
    for (const [owner, caller] of [
      [ALICE, BOB],
      [0, ALICE],
    ] as const) {
      const request = machine.shell(caller);
      await expect(start(machine, machine.owned(`c${owner}`, owner), request)).rejects.toMatchObject(
        refusal(`owner is uid ${owner}, caller uid ${caller}`),
      );
    }
  });

  test.each([
    ['a root directory of his own', { root: '/jail' }],
    ['a mount namespace of his own', { mnt: ELSEWHERE }],
  ])('EPERM for a caller with %s', async (_, place) => {
    using machine = new Users();
    const request = machine.shell(ALICE, place);
    await expect(start(machine, machine.owned('web', ALICE), request)).rejects.toMatchObject(
      refusal('another root directory or mount namespace'),
    );
    const unseen = machine.request({ pid: 0 as Pid, uid: ALICE });
    await expect(start(machine, machine.container('web'), unseen)).rejects.toMatchObject(refusal('mount namespace'));
  });

  test.each([
    ['of the machine’s root, for a user', 0, ALICE, 'which was not made here'],
    ['of his own, for him', ALICE, ALICE, 'only containers of that owner'],
    ['of a user, for root', ALICE, 0, 'only containers of that owner'],
    ['of a user, for another one', BOB, ALICE, 'only containers of that owner'],
  ])('EPERM in a container that was discovered and is %s', async (_, whose, owner, why) => {
    using machine = new Users();
    const { root, nextSerial: serial } = machine.store.registry;
    const init = { pid: machine.spawn(machine.cgroupBase), startTime: 1 };
    const node = { serial, parent: root.serial, name: 'web', mode: 0o755, uid: whose, gid: whose, at: root.ctime };
    machine.store.commit([{ op: 'found', ...node, key: 'k', mark: 'm', init, kinds: [] }]);
    machine.rootIn(machine.store.registry.get(serial)!, whose);
    const job = machine.owned('web/job', owner);
    await expect(start(machine, job, machine.request())).rejects.toMatchObject(refusal(why));
    expect(machine.starts).toEqual([]);
  });

  test('is asked for by who is in the container around it', async () => {
    using machine = new Users();
    const web = machine.owned('web', ALICE);
    await start(machine, web, machine.shell(ALICE));
    machine.rootIn(web, ALICE);
    setNamespace(machine.cgroupfs.volume, web.init!.pid, 'mnt', ELSEWHERE);
    await start(machine, machine.owned('web/job', ALICE), machine.shell(ALICE, { mnt: ELSEWHERE }));
    expect(machine.starts).toHaveLength(2);
  });

  test.each([
    ['is not known', 4711, 'no entry in passwd'],
    ['has root’s group', 9, "primary group is root's"],
  ])('EPERM for an owner who %s', async (_, uid, why) => {
    using machine = new Users();
    await expect(start(machine, machine.owned('web', uid), machine.shell(uid))).rejects.toMatchObject(refusal(why));
  });

  test('EPERM for a bundle', async () => {
    using machine = new Users();
    const web = machine.owned('web', ALICE);
    machine.store.commit([{ op: 'bundle', serial: web.serial, bundle: '/b', at: web.ctime }]);
    await expect(start(machine, web, machine.request())).rejects.toMatchObject(refusal('runtime needs root'));
  });
});
