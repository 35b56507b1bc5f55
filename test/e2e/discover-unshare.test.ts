import { describe, expect, it } from 'vitest';
import { discovering, numberOf, shown, unshared, vanished } from '../support/found.ts';

/** Options of unshare(1), and the kinds that then are the container's own. */
const COMBINATIONS: readonly [options: string, kinds: string][] = [
  ['--mount', 'mnt'],
  ['--uts', 'uts'],
  ['--ipc', 'ipc'],
  ['--net', 'net'],
  ['--cgroup', 'cgroup'],
  ['--time', 'time'],
  ['--user', 'user'],
  ['--pid --fork', 'pid'],
  ['--pid', 'pid'],
  ['--mount --uts --ipc', 'mnt uts ipc'],
  [
    '--mount --uts --ipc --net --pid --fork --user --map-root-user --cgroup --time',
    'mnt uts ipc net pid user cgroup time',
  ],
];

describe('what unshare makes appears by itself', () => {
  it.each(COMBINATIONS)('unshare %s: a container that has its own %s, and vanishes with it', async (options, kinds) => {
    await using tree = await discovering();
    let number = '';
    {
      await using maker = await unshared(options.split(' '));
      const at = await shown(tree, maker.pid);
      expect(at).toMatch(/^unnamed[0-9]+$/);
      const machines = new Map(rows(await tree.ok('cat .nsproxy')));
      const own = rows(await tree.ok(`cat ${at}/.nsproxy`)).filter(([kind, inode]) => machines.get(kind) !== inode);
      expect(own.map(([kind]) => kind).join(' ')).toBe(kinds);
      expect(await tree.ok(`cat ${at}/.state ${at}/.origin`)).toBe('running\ndiscovered');
      expect(await tree.ok('ls')).toContain(at);
      number = await numberOf(tree, at);
    }
    await vanished(tree, number);
  });
});

function rows(text: string): [kind: string, inode: string][] {
  return text.split('\n').map((line) => line.split(' ').slice(0, 2) as [string, string]);
}
