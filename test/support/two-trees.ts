import fc from 'fast-check';
import { hide } from '../../src/container/hiding.ts';
import { Registry } from '../../src/container/registry.ts';
import { FsError } from '../../src/errno.ts';
import type { Pid } from '../../src/ids.ts';
import { ns } from '../../src/tree/control/ns.ts';
import { entriesOf } from '../../src/tree/control/table.ts';
import { fastTree } from '../../src/tree/fast-tree.ts';
import { ABSENT, DEFER, type FastFilesystem } from '../../src/tree/filesystem.ts';
import { directoryId, nodeId, serialOf, type NodeId } from '../../src/tree/node-id.ts';
import { Tree } from '../../src/tree/tree.ts';
import { View } from '../../src/tree/view.ts';
import { FakeMachine, OWN_NAMESPACES } from './fake-machine.ts';
import { allOf, play } from './histories.ts';

type Steps = Parameters<typeof play>[0];

/** Bits of entries that were unlinked, of a container chosen by number. */
export const unlinked = fc.array(fc.tuple(fc.nat(100), fc.nat()), { maxLength: 3 });
type Unlinked = readonly (readonly [which: number, bits: number])[];

/** One daemon: its tree, and the part of it that the serving thread answers from a replica. */
export class World implements Disposable {
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
export async function outcome(ask: () => unknown): Promise<unknown> {
  try {
    const answer = await ask();
    if (answer === DEFER) return DEFER;
    if (answer === ABSENT) return { errno: 'ENOENT' };
    return typeof answer === 'object' && Symbol.iterator in answer! ? [...(answer as Iterable<unknown>)] : answer;
  } catch (error) {
    if (error instanceof FsError) return { errno: error.errno };
    throw error;
  }
}
