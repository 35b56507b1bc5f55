import { describe, expect, test } from 'vitest';
import type { Change } from '../../../src/container/change.ts';
import { hide } from '../../../src/container/hiding.ts';
import type { Pid, Serial } from '../../../src/ids.ts';
import { ns } from '../../../src/tree/control/ns.ts';
import { entryNamed } from '../../../src/tree/control/table.ts';
import { S_IFDIR } from '../../../src/tree/filesystem.ts';
import { directoryId, nodeId, ROOT_ID, type NodeId } from '../../../src/tree/node-id.ts';
import { View } from '../../../src/tree/view.ts';
import { registryOf } from '../../support/registry-of.ts';

const at = { sec: 9, nsec: 0 };
const WEB = 1 as Serial;

function viewOf(...paths: string[]) {
  const { registry, at: find } = registryOf(...paths);
  const view = new View(registry);
  const id = (path: string) => directoryId(find(path).serial);
  const names = (path: string) => [...view.readdir(id(path), 0)].map(({ name }) => name);
  const start = (path: string): Change => {
    return { op: 'start', serial: find(path).serial, init: { pid: 9 as Pid, startTime: 1 }, kinds: [], at };
  };
  return { registry, find, view, id, names, start };
}

describe('View.lookup', () => {
  test('finds a container, its name and attributes to be kept', () => {
    const { view, id, find } = viewOf('web/job');
    const { serial, atime } = find('web');
    expect(view.lookup(ROOT_ID, 'web')).toEqual({
      attr: {
        ...{ id: id('web'), mode: S_IFDIR | 0o755, nlink: 3, uid: 0, gid: 0, size: 60 },
        ...{ atime, mtime: atime, ctime: atime, cacheable: true },
      },
      cacheable: true,
    });
    expect(view.lookup(id('web'), 'job').attr.id).not.toBe(directoryId(serial));
  });

  test('finds a control entry that has something to say, its name not to be kept', () => {
    const { registry, view, id, find, start } = viewOf('web');
    registry.apply(start('web'));
    expect(view.lookup(id('web'), '.state')).toMatchObject({
      attr: { id: nodeId(find('web').serial, 2), mode: 0o100644, mtime: at },
      cacheable: false,
    });
  });

  test.each(['.state', '.exit', '.error', '.ns', '.nothing', 'job', ''])(
    'ENOENT for %j in what never started',
    (name) => {
      const { view, id } = viewOf('web');
      expect(() => view.lookup(id('web'), name)).toThrow(expect.objectContaining({ errno: 'ENOENT' }));
    },
  );

  test('ENAMETOOLONG by bytes, before anything else about the name', () => {
    const { view } = viewOf('web');
    for (const [name, errno] of [
      ['x'.repeat(255), 'ENOENT'],
      ['x'.repeat(256), 'ENAMETOOLONG'],
      ['é'.repeat(127), 'ENOENT'],
      ['é'.repeat(128), 'ENAMETOOLONG'],
      ['🚀'.repeat(64), 'ENAMETOOLONG'],
    ] as const) {
      expect(() => view.lookup(ROOT_ID, name)).toThrow(expect.objectContaining({ errno }));
    }
  });

  test('ENOENT in a container that is gone, ENOTDIR in a control entry', () => {
    const { registry, view, id, find } = viewOf('web', 'db');
    const gone = id('web');
    registry.apply({ op: 'drop', serial: find('web').serial, at });
    expect(() => view.lookup(gone, 'x')).toThrow(expect.objectContaining({ errno: 'ENOENT' }));
    expect(() => view.lookup(nodeId(find('db').serial, 2), 'x')).toThrow(expect.objectContaining({ errno: 'ENOTDIR' }));
    expect(() => view.node((id('db') + 1000) as NodeId)).toThrow(expect.objectContaining({ errno: 'ENOENT' }));
  });

  test('in .ns finds kinds, and no containers', () => {
    const { registry, view, id, find, start } = viewOf('web/net2');
    registry.apply(start('web'));
    const nsId = nodeId(find('web').serial, ns.entry);
    expect(view.lookup(nsId, 'net').attr.mode).toBe(0o120777);
    expect(() => view.lookup(nsId, 'net2')).toThrow(expect.objectContaining({ errno: 'ENOENT' }));
    expect(() => view.lookup(id('web'), 'net')).toThrow(expect.objectContaining({ errno: 'ENOENT' }));
  });
});

describe('View.readdir', () => {
  test('lists .checkpoint, children, then the other control entries; in the root .self and .proxy too', () => {
    const { registry, names, start } = viewOf('web/job', 'db');
    registry.apply(start('web'));
    expect(names('')).toEqual(['web', 'db', '.state', '.procs', '.stat', '.events', '.cgroup', '.self', '.proxy']);
    expect(names('web').slice(0, 3)).toEqual(['.checkpoint', 'job', '.state']);
    expect(names('web')).not.toContain('.self');
    expect(names('db')).toEqual([]);
  });

  test('says of each what lookup says of it', () => {
    const { registry, view, id, start } = viewOf('web/job');
    registry.apply(start('web'));
    for (const directory of [ROOT_ID, id('web')]) {
      for (const { name, entry } of view.readdir(directory, 0)) expect(entry).toEqual(view.lookup(directory, name));
    }
  });

  test('lists what came since it was last read, and not what went', () => {
    const { registry, names, find } = viewOf('web', 'db');
    expect(names('').slice(0, 2)).toEqual(['web', 'db']);
    const made = { serial: registry.nextSerial, parent: find('').serial, mode: 0o755, uid: 0, gid: 0, at };
    registry.apply({ op: 'make', name: 'new', ...made });
    expect(names('').slice(0, 3)).toEqual(['web', 'db', 'new']);
    registry.apply({ op: 'move', serial: find('web').serial, parent: find('').serial, name: 'www', at });
    registry.apply({ op: 'drop', serial: find('db').serial, at });
    expect(names('').slice(0, 2)).toEqual(['www', 'new']);
  });

  test('does not list what was unlinked', () => {
    const { registry, names, find, start } = viewOf('web');
    registry.apply(start('web'));
    hide(find('web'), 1 << 2, Date.now());
    expect(names('web')).not.toContain('.state');
    expect(names('web')).toContain('.procs');
  });
});

describe('View.readdir of .ns', () => {
  test('lists nothing while an entry of the container is hidden, and everything again afterwards', () => {
    const { registry, view, find, start } = viewOf('web');
    registry.apply(start('web'));
    const kinds = () => [...view.readdir(nodeId(find('web').serial, ns.entry), 0)].length;
    expect(kinds()).toBe(8);
    hide(find('web'), 1 << 2, Date.now());
    expect(kinds()).toBe(0);
    hide(find('web'), 1 << 2, Date.now() - 10_001);
    expect(kinds()).toBe(8);
  });
});

describe('View.isEmpty', () => {
  test.each<[string, boolean, Change[]]>([
    ['never started', true, []],
    ['refused something', true, [{ op: 'error', serial: WEB, text: 'no', at }]],
    ['running', false, [{ op: 'phase', serial: WEB, phase: 'running', at }]],
    ['stopped', false, [{ op: 'phase', serial: WEB, phase: 'stopped', at }]],
    ['asked for a namespace', false, [{ op: 'want', serial: WEB, kinds: ['net'] }]],
  ])('of a container that is %s: %s', (_, empty, changes) => {
    const { registry, view, find } = viewOf('web');
    for (const change of changes) registry.apply(change);
    expect(view.isEmpty(find('web'))).toBe(empty);
  });

  test('not with a child, though that is empty', () => {
    const { view, find } = viewOf('web/job');
    expect(view.isEmpty(find('web'))).toBe(false);
  });

  test('once all that is listed was unlinked', () => {
    const { registry, view, find, id, start } = viewOf('web');
    registry.apply(start('web'));
    for (const { name } of view.readdir(id('web'), 0)) {
      hide(find('web'), 1 << entryNamed(name, undefined)!.entry, Date.now());
    }
    expect(view.isEmpty(find('web'))).toBe(true);
  });
});

describe('View.removedAttr', () => {
  test('is a directory without a link', () => {
    const { view, id } = viewOf('web');
    expect(view.removedAttr(id('web'))).toMatchObject({ id: id('web'), nlink: 0, cacheable: false });
  });
});

describe('View.statfs', () => {
  test('counts containers, and those that may still come', () => {
    const { view } = viewOf('web', 'db');
    const { files, filesFree, nameMax } = view.statfs();
    expect([files - filesFree, nameMax]).toEqual([3, 255]);
  });
});
