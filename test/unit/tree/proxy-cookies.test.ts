import { expect, test } from 'vitest';
import { FIRST_COOKIE } from '../../../src/tree/filesystem.ts';
import { FakeTree } from '../../support/fake-tree.ts';

test('a listing of .proxy goes on behind each entry, the smallest pid too', async () => {
  using it = new FakeTree();
  const { serial } = it.container('web');
  it.cgroupfs.volume.symlinkSync('pid:[5]', '/proc/self/ns/pid');
  for (const pid of [1, 15, 16, 4711]) {
    const entered = it.spawn(it.container('web'), { pid, starttime: 7 });
    it.store.commit([{ op: 'enter', serial, pid: entered, startTime: 7, by: 'symlink' }]);
  }
  const caller = it.request({ pid: it.spawn('/sys/fs/cgroup/shell') });
  const listed: string[] = [];
  for (let cookie = 0; listed.length < 10;) {
    const [next] = await it.tree.readdir(caller, it.id('.proxy'), cookie);
    if (!next) break;
    expect(next.cookie).toBeGreaterThanOrEqual(FIRST_COOKIE);
    listed.push(next.name);
    cookie = next.cookie;
  }
  expect(listed).toEqual(['1', '15', '16', '4711']);
});
