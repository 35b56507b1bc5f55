import { describe, expect, test } from 'vitest';
import type { Pid } from '../../../src/ids.ts';
import { errnoOf, FakeTree } from '../../support/fake-tree.ts';

async function running(): Promise<FakeTree> {
  const it = new FakeTree();
  it.mkdir('web');
  await it.write('web/.state', 'running');
  return it;
}

describe('Tree.write to .state', () => {
  test('running starts and thaws, frozen freezes, stopped kills', async () => {
    using it = await running();
    const told: string[] = [];
    for (const word of ['running', 'frozen', 'frozen', 'running', 'stopped', 'stopped', 'running']) {
      await it.write('web/.state', word);
      told.push((await it.read('web/.state')).trim());
    }
    expect(told).toEqual(['running', 'frozen', 'frozen', 'running', 'stopped', 'stopped', 'running']);
    expect(it.starts).toHaveLength(2);
  });

  test.each([
    ['running uts,net', ['uts', 'net']],
    ['running +net', ['mnt', 'uts', 'ipc', 'net', 'pid', 'cgroup']],
    ['  running \t uts ', ['uts']],
  ])('%j starts with namespaces of its own', async (text, kinds) => {
    using it = new FakeTree();
    it.mkdir('web');
    await it.write('web/.state', text);
    expect(it.container('web').kinds).toEqual(kinds);
  });

  test.each([
    '',
    'Running',
    'run',
    'running net more',
    'frozen net',
    'stopped net',
    'running nut',
    'running ,',
    'running +',
    '\0',
  ])('%j changes nothing: EINVAL, and .error says what to write', async (text) => {
    using it = new FakeTree();
    it.mkdir('web');
    const outcome = await errnoOf(() => it.write('web/.state', text));
    if (text === 'running net,') return;
    expect(outcome).toBe('EINVAL');
    expect(it.container('web').phase).toBe('declared');
    expect(await it.read('web/.error')).toMatch(/^EINVAL: [^\n]*(write running|there are mnt)[^\n]*\n$/);
  });

  test('EBUSY for the machine itself', async () => {
    using it = new FakeTree();
    for (const word of ['stopped', 'frozen', 'running']) {
      expect(await errnoOf(() => it.write('.state', word))).toBe('EBUSY');
    }
  });

  test('EPERM for a container of a user who is not known: nothing runs, and .error says why', async () => {
    using it = new FakeTree();
    const user = it.request({ uid: 1000, gid: 1000 });
    it.mkdir('web', user);
    expect(await errnoOf(() => it.write('web/.state', 'running', user))).toBe('EPERM');
    expect([await it.ls('web'), it.starts]).toEqual([['.error'], []]);
    expect(await it.read('web/.error')).toContain('another root directory or mount namespace');
  });

  test('EACCES for who owns neither the container nor the machine', async () => {
    using it = await running();
    it.unlink('web/.state');
    const stranger = it.request({ uid: 1000 });
    expect(await errnoOf(() => it.write('web/.state', 'stopped', stranger))).toBe('EACCES');
    expect(it.container('web').phase).toBe('running');
  });
});

describe('Tree.write', () => {
  test('of a signal reaches the processes', async () => {
    using it = await running();
    const pid = it.spawn(it.container('web'));
    const got: unknown[] = [];
    it.kernel.onSignal = (target, signal) => got.push([target, signal]);
    await it.write('web/.signal', 'SIGUSR1');
    expect(got).toEqual([[pid, 10]]);
    expect(await errnoOf(() => it.write('web/.signal', 'SIGNOTHING'))).toBe('EINVAL');
  });

  test('to .procs: EINVAL for what is no pid, ESRCH for what is none of a process', async () => {
    using it = await running();
    for (const text of ['x', '-1', '1 2', '']) expect(await errnoOf(() => it.write('web/.procs', text))).toBe('EINVAL');
    expect(await errnoOf(() => it.write('web/.procs', '4000'))).toBe('ESRCH');
    expect(await it.read('web/.error')).toContain('there is no process');
  });

  test('EINVAL to what only reports', async () => {
    using it = await running();
    for (const name of ['.stat', '.nsproxy', '.events']) {
      expect([name, await errnoOf(() => it.write(`web/${name}`, 'x'))]).toEqual([name, 'EINVAL']);
    }
  });

  test('EINVAL for more than a page', async () => {
    using it = await running();
    expect(await errnoOf(() => it.write('web/.state', 'x'.repeat(4096)))).toBe('EINVAL');
    expect(it.container('web').error?.length).toBeLessThan(200);
  });

  test('an interrupted command leaves no reason', async () => {
    using it = new FakeTree();
    it.mkdir('web');
    const { FsError } = await import('../../../src/errno.ts');
    it.beforeStart = () => {
      throw new FsError('EINTR', 'interrupted');
    };
    expect(await errnoOf(() => it.write('web/.state', 'running'))).toBe('EINTR');
    expect(it.container('web').error).toBeUndefined();
  });
});

describe('Tree.readlink', () => {
  test('.self is the caller’s container, relative to the directory', async () => {
    using it = await running();
    it.mkdir('web/job');
    await it.write('web/job/.state', 'running');
    const [inWeb, inJob, outside] = [
      it.spawn(it.container('web')),
      it.spawn(it.container('web/job')),
      it.spawn('/sys/fs/cgroup/shell'),
    ];
    const self = (at: string, pid: Pid) => errnoOr(() => it.tree.readlink(it.request({ pid }), it.id(`${at}.self`)));
    expect(await Promise.all([self('', inJob), self('web/', inJob), self('web/', inWeb), self('', outside)])).toEqual([
      'web/job',
      'job',
      '.',
      '.',
    ]);
    expect(await self('web/', outside)).toBe('ENOENT');
  });

  test('.cgroup is the cgroup directory', async () => {
    using it = await running();
    expect(it.tree.readlink(it.request(), it.id('web/.cgroup'))).toBe(it.cgroupOf(it.container('web')));
  });
});

async function errnoOr(action: () => string): Promise<string> {
  let text = '';
  const errno = await errnoOf(() => (text = action()));
  return errno === 'OK' ? text : errno;
}
