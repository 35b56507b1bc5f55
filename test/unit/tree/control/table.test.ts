import { describe, expect, test } from 'vitest';
import type { Change } from '../../../../src/container/change.ts';
import type { Container } from '../../../../src/container/container.ts';
import { type Pid, type Serial } from '../../../../src/ids.ts';
import { ns } from '../../../../src/tree/control/ns.ts';
import { CONTROL_ENTRIES, entriesOf, entryNamed, NS_ENTRIES } from '../../../../src/tree/control/table.ts';
import { S_IFDIR, S_IFLNK, S_IFMT, S_IFREG } from '../../../../src/tree/filesystem.ts';
import { registryOf } from '../../../support/registry-of.ts';

const at = { sec: 1, nsec: 0 };
const serial = 1 as Serial;
const start: Change = { op: 'start', serial, init: { pid: 9 as Pid, startTime: 1 }, kinds: ['net'], at };
const phase = (of: Container['phase']): Change => ({ op: 'phase', serial, phase: of, at });
const exit = (status: number): Change => ({ op: 'exit', serial, status, at });

function after(...changes: Change[]): Container {
  const { registry, at: find } = registryOf('web');
  for (const change of changes) registry.apply(change);
  return find('web');
}

const present = (container: Container) =>
  CONTROL_ENTRIES.filter((row) => row.present(container) && row.listed?.(container) !== false).map(({ name }) => name);

const ALIVE = ['.state', '.init', '.nsproxy', '.ns', '.procs', '.stat', '.signal', '.events', '.cgroup', '.checkpoint'];

describe('CONTROL_ENTRIES', () => {
  test.each<[string, Change[], string[]]>([
    ['never started', [], []],
    ['refused', [{ op: 'error', serial, text: 'no', at }], ['.error']],
    ['asked for namespaces', [{ op: 'want', serial, kinds: [] }], ['.ns']],
    ['running', [start], ALIVE],
    ['frozen', [start, phase('frozen')], ALIVE],
    [
      'running without init',
      [start, exit(1)],
      ['.state', '.procs', '.stat', '.signal', '.events', '.exit', '.cgroup', '.checkpoint'],
    ],
    ['getting images', [{ op: 'checkpoint', serial, is: 'arriving' }], ['.checkpoint']],
    ['getting names of an archive', [{ op: 'checkpoint', serial, is: 'ghosts' }], []],
    [
      'stopped, with a checkpoint',
      [start, phase('stopped'), { op: 'checkpoint', serial, is: 'held' }],
      ['.state', '.events', '.checkpoint'],
    ],
    ['stopped', [start, exit(0), phase('stopped')], ['.state', '.events', '.exit']],
    ['stopped, nobody knows how', [start, phase('stopped')], ['.state', '.events']],
    ['running again', [start, exit(0), phase('stopped'), start], ALIVE],
  ])('%s: has what has something to say', (_, changes, names) => {
    expect(present(after(...changes))).toEqual(names);
  });

  test('the machine has what containers have, but nothing to signal and no end', () => {
    const { registry } = registryOf('web');
    registry.root.init = { pid: 1 as Pid, startTime: 1 };
    expect(present(registry.root)).toEqual([
      ...ALIVE.filter((name) => name !== '.signal' && name !== '.checkpoint'),
      '.self',
      '.proxy',
    ]);
  });

  test.each(['.self', '.proxy'])('%s resolves everywhere, and is listed in the root only', (name) => {
    const self = entryNamed(name, undefined)!;
    const { registry, at: find } = registryOf('web');
    expect([registry.root, find('web')].map((container) => self.present(container))).toEqual([true, true]);
    expect([registry.root, find('web')].map((container) => self.listed?.(container))).toEqual([true, false]);
  });

  test.each([
    ['.state', S_IFREG | 0o644],
    ['.init', S_IFLNK | 0o777],
    ['.nsproxy', S_IFREG | 0o444],
    ['.ns', S_IFDIR | 0o755],
    ['.procs', S_IFREG | 0o644],
    ['.stat', S_IFREG | 0o444],
    ['.signal', S_IFREG | 0o200],
    ['.events', S_IFREG | 0o444],
    ['.exit', S_IFREG | 0o444],
    ['.error', S_IFREG | 0o444],
    ['.cgroup', S_IFLNK | 0o777],
    ['.self', S_IFLNK | 0o777],
    ['.proxy', S_IFDIR | 0o777],
    ['.checkpoint', S_IFDIR | 0o700],
  ])('%s has type and mode', (name, mode) => {
    expect(entryNamed(name, undefined)!.mode(after(start)).toString(8)).toBe(mode.toString(8));
  });

  test('what may be written says so in its mode, and the other way round', () => {
    for (const row of CONTROL_ENTRIES) {
      const mode = row.mode(after(start));
      if ((mode & S_IFMT) === S_IFREG)
        expect([row.name, (mode & 0o222) !== 0]).toEqual([row.name, row.write !== undefined]);
    }
  });

  test.each<[string, Change[], string]>([
    ['.state', [start], 'running\n'],
    ['.state', [start, phase('frozen')], 'frozen\n'],
    ['.state', [start, phase('stopped')], 'stopped\n'],
    ['.exit', [start, exit(0)], '0\n'],
    ['.exit', [start, exit(137)], '137\n'],
    ['.error', [{ op: 'error', serial, text: 'EBUSY: it runs', at }], 'EBUSY: it runs\n'],
    ['.signal', [start], ''],
  ])('%s after %j says %j', (name, changes, text) => {
    expect(entryNamed(name, undefined)!.text!(after(...changes))).toBe(text);
  });

  test('.state says frozen below what is frozen', () => {
    const { registry, at: find } = registryOf('web/job');
    for (const of of [1, 2]) registry.apply({ ...start, serial: of as Serial });
    registry.apply(phase('frozen'));
    expect(entryNamed('.state', undefined)!.text!(find('web/job'))).toBe('frozen\n');
    expect(find('web/job').phase).toBe('running');
  });
});

describe('NS_ENTRIES', () => {
  const kinds = (container: Container) => NS_ENTRIES.filter((row) => row.present(container)).map(({ name }) => name);

  test('links to all kinds while there is an init', () => {
    expect(kinds(after(start))).toEqual(['mnt', 'uts', 'ipc', 'net', 'pid', 'user', 'cgroup', 'time']);
    expect(entryNamed('net', ns)!.mode(after(start))).toBe(S_IFLNK | 0o777);
    expect(kinds(after(start, exit(0), phase('stopped')))).toEqual([]);
  });

  test('files for what is asked for before the start', () => {
    const asking = after({ op: 'want', serial, kinds: ['time', 'net'] });
    expect(kinds(asking)).toEqual(['net', 'time']);
    expect(entryNamed('net', ns)!.mode(asking)).toBe(S_IFREG | 0o644);
    expect(kinds(after())).toEqual([]);
  });
});

describe('entryNamed', () => {
  test('knows names of a directory in that directory only', () => {
    expect([entryNamed('net', undefined), entryNamed('.state', ns), entryNamed('state', undefined)]).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
    for (const within of [undefined, ns]) {
      for (const row of entriesOf(within)) expect(entryNamed(row.name, within)).toBe(row);
    }
  });
});
