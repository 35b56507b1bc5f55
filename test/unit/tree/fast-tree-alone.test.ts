import { constants } from 'node:fs';
import { describe, expect, test } from 'vitest';
import type { Pid } from '../../../src/ids.ts';
import { ns } from '../../../src/tree/control/ns.ts';
import { entryNamed } from '../../../src/tree/control/table.ts';
import { DEFER, type Created, type Opened } from '../../../src/tree/filesystem.ts';
import { directoryId, nodeId } from '../../../src/tree/node-id.ts';
import { outcome, World } from '../../support/two-trees.ts';

/** Flags of a shell's `>`. */
const WRITING = constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC;

describe('fastTree by itself', () => {
  /** `web` runs and has ended once. */
  function running(): World {
    const world = new World([], []);
    const web = world.machine.container('web');
    const init = { pid: 9 as Pid, startTime: 1 };
    world.machine.store.commit([
      { op: 'start', serial: web.serial, init, kinds: [], at: web.ctime },
      { op: 'error', serial: web.serial, text: 'EBUSY: no', at: web.ctime },
    ]);
    return world;
  }

  const idOf = (world: World, name: string) =>
    nodeId(world.machine.container('web').serial, entryNamed(name, undefined)!.entry);

  test.each(['.state', '.error', '.signal', '.cgroup', '.ns'])('tells the attributes of %s', (name) => {
    using world = running();
    expect(world.fast.getattr!(world.request(), idOf(world, name))).not.toBe(DEFER);
  });

  test.each(['.procs', '.stat', '.nsproxy', '.events', '.self'])(
    'leaves %s, which takes a look at the machine',
    (name) => {
      using world = running();
      expect(world.fast.getattr!(world.request(), idOf(world, name))).toBe(DEFER);
    },
  );

  test('reads .init for a caller of the same pid namespace only', () => {
    using world = running();
    expect(world.fast.readlink!(world.request(), idOf(world, '.init'))).toBe('/proc/9');
    expect(world.fast.readlink!(world.machine.request({ pid: 0 as Pid }), idOf(world, '.init'))).toBe(DEFER);
  });

  test('leaves the unlinking of what is asked for, which is no tombstone', async () => {
    using world = new World([], []);
    const job = world.machine.container('job');
    world.machine.store.commit([{ op: 'want', serial: job.serial, kinds: ['net', 'user'] }]);
    const links = nodeId(job.serial, ns.entry);
    expect(world.fast.unlink!(world.request(), links, 'net')).toBe(DEFER);
    void world.tree.unlink(world.request(), links, 'net');
    expect(job.kinds).toEqual(['user']);
    expect(await outcome(() => world.fast.lookup!(world.request(), links, 'net'))).toEqual({ errno: 'ENOENT' });
  });

  test('leaves what is opened for reading and writing', () => {
    using world = running();
    expect(world.fast.open!(world.request(), idOf(world, '.state'), constants.O_RDWR)).toBe(DEFER);
  });

  test('an entry that says nothing is there while it is open for writing', () => {
    using world = new World([], []);
    const { serial } = world.machine.container('web');
    const [id, request] = [idOf(world, '.state'), world.request()];
    const open = () => world.fast.create!(request, directoryId(serial), '.state', 0o644, WRITING) as Created;
    const both = [open(), open()];
    for (const { handle, entry } of both) {
      expect(entry).toMatchObject({ attr: { id, size: 0 }, fleeting: true });
      expect(world.fast.getattr!(request, id)).toMatchObject({ id, size: 0 });
      expect(world.fast.release!(request, id, handle)).toBeUndefined();
      expect(world.fast.release!(request, id, handle)).toBe(DEFER);
    }
    expect(world.fast.getattr!(request, id)).toBe(DEFER);
  });

  test('leaves what another user creates, and what was unlinked', () => {
    using world = running();
    const { serial } = world.machine.container('web');
    const create = (uid: number) =>
      world.fast.create!(world.machine.request({ uid }), directoryId(serial), '.state', 0o644, WRITING);
    expect(create(1000)).toBe(DEFER);
    expect(create(0)).not.toBe(DEFER);
    world.fast.unlink!(world.request(), directoryId(serial), '.init');
    expect(create(0)).toBe(DEFER);
  });

  test('has so many files open for one user, and leaves more of his to the other thread', () => {
    using world = running();
    const id = idOf(world, '.state');
    const open = (uid: number) => world.fast.open!(world.machine.request({ uid }), id, constants.O_RDONLY);
    const first = open(1001) as Opened;
    for (let count = 1; count < 4096; count++) open(1001);
    expect(open(1001)).toBe(DEFER);
    for (const uid of [0, 1002]) expect(open(uid)).not.toBe(DEFER);
    world.fast.release!(world.request(), id, first.handle);
    expect(open(1001)).not.toBe(DEFER);
  });

  test('leaves handles and unlinks that are not its own', () => {
    using world = running();
    const request = world.request();
    expect(world.fast.read!(request, idOf(world, '.state'), 2, 0, 10)).toBe(DEFER);
    expect(world.fast.release!(request, idOf(world, '.state'), 2)).toBe(DEFER);
    const web = directoryId(world.machine.container('web').serial);
    expect(world.fast.unlink!(request, web, '.error')).toBe(DEFER);
    expect(world.fast.rmdir!(request, directoryId(world.machine.store.registry.root.serial), 'web')).toBe(DEFER);
  });
});
