import { constants } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { hide } from '../../../src/container/hiding.ts';
import { Registry } from '../../../src/container/registry.ts';
import { FsError } from '../../../src/errno.ts';
import type { Pid } from '../../../src/ids.ts';
import { ns } from '../../../src/tree/control/ns.ts';
import { entriesOf, entryNamed } from '../../../src/tree/control/table.ts';
import { fastTree } from '../../../src/tree/fast-tree.ts';
import {
  DEFER,
  S_IFLNK,
  S_IFMT,
  type Created,
  type FastFilesystem,
  type Filesystem,
  type Opened,
} from '../../../src/tree/filesystem.ts';
import { directoryId, nodeId, serialOf, type NodeId } from '../../../src/tree/node-id.ts';
import { Tree } from '../../../src/tree/tree.ts';
import { View } from '../../../src/tree/view.ts';
import { FakeMachine, OWN_NAMESPACES } from '../../support/fake-machine.ts';
import { allOf, histories, play } from '../../support/histories.ts';

type Steps = Parameters<typeof play>[0];

/** Bits of entries that were unlinked, of a container chosen by number. */
const unlinked = fc.array(fc.tuple(fc.nat(100), fc.nat()), { maxLength: 3 });
type Unlinked = readonly (readonly [which: number, bits: number])[];

/** One daemon: its tree, and the part of it that the serving thread answers from a replica. */
class World implements Disposable {
  readonly machine = new FakeMachine();
  readonly tree: Tree;
  readonly fast: FastFilesystem;
  readonly #caller: Pid;

  constructor(steps: Steps, hidden: Unlinked) {
    const { machine } = this;
    const { registry } = machine.store;
    const { changes } = play(steps);
    const replica = new Registry();
    for (const change of registry.snapshot()) replica.apply(change);
    machine.store.onCommit((news) => {
      for (const change of structuredClone(news)) replica.apply(change);
    });
    machine.store.commit(changes);
    const all = allOf(registry);
    for (const [which, bits] of hidden) this.#hide(replica, all[which % all.length]!.serial, bits);
    this.#caller = machine.spawn('/sys/fs/cgroup/shell', { pid: process.pid });
    machine.cgroupfs.volume.symlinkSync(`pid:[${OWN_NAMESPACES.pid}]`, '/proc/self/ns/pid');
    this.tree = new Tree(machine, { directoryChanged: () => undefined, wake: () => undefined }, 2);
    this.fast = fastTree({
      view: new View(replica),
      places: { cgroupOf: machine.cgroupOf },
      firstHandle: 1,
      onHidden: (serial, bits, atMs) => {
        const container = registry.get(serial);
        if (container) hide(container, bits, atMs);
      },
    });
  }

  request() {
    return this.machine.request({ pid: this.#caller });
  }

  /** Every directory of every container, and one that is gone. */
  directories(): NodeId[] {
    const { registry } = this.machine.store;
    const ids = allOf(registry).flatMap(({ serial }) => [directoryId(serial), nodeId(serial, ns.entry)]);
    return [...ids, directoryId(registry.nextSerial)];
  }

  /** Every id a kernel may ask about. */
  ids(): NodeId[] {
    const entries = [...entriesOf(undefined), ...entriesOf(ns)].map(({ entry }) => entry);
    return this.directories().flatMap((id) => [id, ...entries.map((entry) => (id - (id % 2 ** 24) + entry) as NodeId)]);
  }

  /** What a directory lists; nothing for one that is gone. */
  names(id: NodeId): string[] {
    const { registry } = this.machine.store;
    if (!registry.get(serialOf(id))) return [];
    return [...new View(registry).readdir(id, 0)].map(({ name }) => name);
  }

  /** What there is to see. */
  seen(): unknown {
    return allOf(this.machine.store.registry).map(({ serial, kinds }) => ({
      serial,
      kinds,
      names: [directoryId(serial), nodeId(serial, ns.entry)].map((id) => this.names(id)),
    }));
  }

  [Symbol.dispose](): void {
    this.machine[Symbol.dispose]();
  }

  #hide(replica: Registry, serial: Parameters<Registry['get']>[0], bits: number): void {
    const now = Date.now();
    for (const registry of [replica, this.machine.store.registry]) hide(registry.get(serial)!, bits, now);
  }
}

/** An answer, or the errno, in a form that can be compared; DEFER as it is. */
async function outcome(ask: () => unknown): Promise<unknown> {
  try {
    const answer = await ask();
    if (answer === DEFER) return DEFER;
    return typeof answer === 'object' && Symbol.iterator in answer! ? [...(answer as Iterable<unknown>)] : answer;
  } catch (error) {
    if (error instanceof FsError) return { errno: error.errno };
    throw error;
  }
}

/** Fails if the fast tree answers, and other than the tree. Whether it answered. */
async function agree(world: World, ask: (tree: Pick<Filesystem, keyof Filesystem>) => unknown): Promise<boolean> {
  const fast = await outcome(() => ask(world.fast as Filesystem));
  if (fast === DEFER) return false;
  expect(fast).toEqual(await outcome(() => ask(world.tree)));
  return true;
}

/** Flags of a shell's `>`. */
const WRITING = constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC;

const NAMES = [...entriesOf(undefined), ...entriesOf(ns)].map(({ name }) => name);
const worlds = fc.tuple(histories, unlinked);

describe('fastTree', () => {
  test('answers lookup, readdir and statfs as the tree does, always', async () => {
    await fc.assert(
      fc.asyncProperty(worlds, async ([steps, hidden]) => {
        using world = new World(steps, hidden);
        const request = world.request();
        for (const id of world.directories()) {
          for (const name of [...NAMES, 'a', 'web', 'nothing', '', 'x'.repeat(256)]) {
            expect(await agree(world, (tree) => tree.lookup(request, id, name))).toBe(true);
          }
          for (const cookie of [0, 17, 20, 2 ** 40]) {
            expect(await agree(world, (tree) => tree.readdir(request, id, cookie))).toBe(true);
          }
          expect(await agree(world, (tree) => tree.statfs(request, id))).toBe(true);
        }
      }),
      { numRuns: 20 },
    );
  });

  test('answers getattr and readlink as the tree does, or leaves them to it', async () => {
    await fc.assert(
      fc.asyncProperty(worlds, async ([steps, hidden]) => {
        using world = new World(steps, hidden);
        const request = world.request();
        for (const id of world.ids()) {
          await agree(world, (tree) => tree.getattr(request, id));
          const node = await outcome(() => world.tree.getattr(request, id));
          const isLink = (((node as { mode?: number }).mode ?? 0) & S_IFMT) === S_IFLNK;
          if (isLink) await agree(world, (tree) => tree.readlink(request, id));
        }
      }),
      { numRuns: 20 },
    );
  });

  test('gives the text that the tree gives', async () => {
    await fc.assert(
      fc.asyncProperty(worlds, async ([steps, hidden]) => {
        using world = new World(steps, hidden);
        const request = world.request();
        for (const id of world.ids().filter((id) => id % 2 ** 24 !== 1)) {
          const opened = await outcome(() => world.fast.open!(request, id, constants.O_RDONLY));
          if (opened === DEFER || 'errno' in (opened as object)) continue;
          const fast = opened as Opened;
          const slow = await world.tree.open(request, id, constants.O_RDONLY);
          expect([fast.noFlush, fast.handle % 2, slow.handle % 2]).toEqual([slow.noFlush, 1, 0]);
          for (const [offset, size] of [
            [0, 4096],
            [0, 3],
            [3, 2],
            [1000, 10],
          ] as const) {
            const bytes = world.fast.read!(request, id, fast.handle, offset, size);
            expect(Buffer.from(bytes as Uint8Array)).toEqual(
              Buffer.from(await world.tree.read(request, id, slow.handle, offset, size)),
            );
          }
          expect(world.fast.release!(request, id, fast.handle)).toBeUndefined();
          expect(world.fast.read!(request, id, fast.handle, 0, 10)).toBe(DEFER);
        }
      }),
      { numRuns: 20 },
    );
  });

  test('opens for writing as the tree does, or leaves it to it', async () => {
    await fc.assert(
      fc.asyncProperty(worlds, async ([steps, hidden]) => {
        using world = new World(steps, hidden);
        const request = world.request();
        for (const directory of world.directories()) {
          for (const name of [...NAMES, 'web', 'nothing', '']) {
            const before = world.seen();
            const fast = await outcome(() => world.fast.create!(request, directory, name, 0o644, WRITING));
            if (fast === DEFER || 'errno' in (fast as object)) continue;
            const { handle, ...answer } = fast as Created;
            const slow = await world.tree.create(request, directory, name, 0o644, WRITING);
            expect({ ...slow, handle: 0 }).toEqual({ ...answer, handle: 0 });
            const { id } = answer.entry.attr;
            expect((await agree(world, (tree) => tree.getattr(request, id))) || NAMES.includes(name)).toBe(true);
            world.tree.release(request, id, slow.handle);
            expect([world.fast.release!(request, id, handle), world.seen()]).toEqual([undefined, before]);
          }
        }
      }),
      { numRuns: 20 },
    );
  });

  test.each(['unlink', 'rmdir'] as const)(
    '%s has the answer and the effect it has in the tree, or none',
    async (op) => {
      await fc.assert(
        fc.asyncProperty(worlds, fc.nat(), fc.nat(), async ([steps, hidden], which, entry) => {
          using served = new World(steps, hidden);
          using alone = new World(steps, hidden);
          const directories = served.directories().filter((id) => served.names(id).length > 0);
          const id = directories[which % directories.length]!;
          const names = served.names(id);
          const name = names[entry % names.length]!;
          const before = served.seen();
          const fast = await outcome(() => served.fast[op]!(served.request(), id, name));
          if (fast === DEFER) {
            expect(served.seen()).toEqual(before);
            return;
          }
          expect(fast).toEqual(await outcome(() => alone.tree[op](alone.request(), id, name)));
          expect(served.seen()).toEqual(alone.seen());
        }),
        { numRuns: 100 },
      );
    },
  );
});

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
