import { describe, expect, test } from 'vitest';
import { killFound } from '../../../src/container/kill-found.ts';
import { ROOT_SERIAL, type Pid } from '../../../src/ids.ts';
import { now } from '../../../src/time.ts';
import { FakeMachine } from '../../support/fake-machine.ts';

/** A discovered container, and a line of processes in it, each of which makes the next one and ends when it was looked at. */
class Hopping extends FakeMachine {
  #tip: number;
  #hops: number;

  constructor(first: number, hops: number) {
    super();
    const node = {
      serial: this.store.registry.nextSerial,
      parent: ROOT_SERIAL,
      name: 'unnamed1',
      mode: 0o755,
      uid: 0,
      gid: 0,
    };
    const init = { pid: first as Pid, startTime: 1 };
    this.store.commit([{ op: 'found', ...node, key: 'k', mark: 'm', init, kinds: [], at: now() }]);
    this.#tip = first;
    this.#hops = hops;
    this.#show(first);
    this.found = {
      ...this.found,
      // Whoever lists them is late.
      processesBelow: () => Promise.resolve([]),
      isBelow: (pid) => this.#look(pid),
    };
    this.kernel.onSignal = (pid) => this.kernel.processes.delete(pid);
  }

  get lives(): boolean {
    return this.kernel.processes.has(this.#tip);
  }

  #look(pid: number): boolean {
    if (pid !== this.#tip || !this.lives) return false;
    if (this.#hops-- > 0) {
      this.kernel.processes.delete(pid);
      this.#show((this.#tip += 3));
    }
    return true;
  }

  #show(pid: number): void {
    this.kernel.processes.add(pid);
    this.cgroupfs.volume.writeFileSync('/proc/loadavg', `0 0 0 1/9 ${pid}\n`);
  }
}

describe('killFound', () => {
  test.each([[0], [1], [50]])('kills a line of processes that ends where it is seen, after %i hops', async (hops) => {
    using machine = new Hopping(1_000, hops);
    expect(machine.lives).toBe(true);
    expect(await killFound(machine, machine.store.registry.root, 0, 1_000)).toBe(true);
    expect([machine.lives, machine.kernel.openFds]).toEqual([false, []]);
  });

  test('gives up on one that is always ahead, after its time', async () => {
    using machine = new Hopping(1_000, Infinity);
    expect(await killFound(machine, machine.store.registry.root, 0, 0, 50)).toBe(false);
    expect(machine.lives).toBe(true);
  });

  test('pursues what forks for longer than it waits for the dead', async () => {
    using machine = new Hopping(1_000, 3_000);
    expect(await killFound(machine, machine.store.registry.root, 0, 0)).toBe(true);
    expect(machine.lives).toBe(false);
  });

  test('waits no longer for who was killed and does not die', async () => {
    using machine = new Hopping(1_000, 0);
    machine.kernel.onSignal = () => undefined;
    expect(await killFound(machine, machine.store.registry.root, 0, 20)).toBe(false);
    expect(machine.kernel.calls.filter(([name]) => name === 'pidfdSendSignal').length).toBeGreaterThan(1);
  });

  test.each([[1], [2]])(
    'kills who is in list %i of all processes, and was not there when its pid was given',
    async (list) => {
      using machine = new Hopping(1_000, 0);
      let lists = 0;
      const [pid] = [1_000 as Pid];
      machine.cgroupfs.volume.writeFileSync('/proc/loadavg', '0 0 0 1/9 9000\n');
      machine.found = {
        ...machine.found,
        lookAround: () => {
          lists += 1;
          return Promise.resolve();
        },
        processesBelow: () => Promise.resolve(lists >= list && machine.lives ? [pid] : []),
      };
      expect(await killFound(machine, machine.store.registry.root, 0, 1_000)).toBe(true);
      expect(machine.lives).toBe(false);
    },
  );

  test('believes no list while pids begin from the lowest on again', async () => {
    using machine = new Hopping(1_000, 0);
    machine.kernel.processes.clear();
    let last = 32_000;
    machine.found = {
      ...machine.found,
      lookAround: () => {
        last = last > 30_000 ? 300 : last + 1;
        machine.cgroupfs.volume.writeFileSync('/proc/loadavg', `0 0 0 1/9 ${last}\n`);
        return Promise.resolve();
      },
    };
    machine.cgroupfs.volume.writeFileSync('/proc/loadavg', `0 0 0 1/9 ${last}\n`);
    expect(await killFound(machine, machine.store.registry.root, 0, 1_000)).toBe(true);
    expect(last).toBeGreaterThan(302);
  });

  test('leaves alone who has become somebody else before its turn, and is done', async () => {
    using machine = new Hopping(1_000, 1);
    const is = (pid: number, uid: number) => {
      machine.cgroupfs.volume.mkdirSync(`/proc/${pid}`, { recursive: true });
      machine.cgroupfs.volume.writeFileSync(`/proc/${pid}/status`, `Uid:\t${uid}\t${uid}\t${uid}\t${uid}\n`);
    };
    const alice = 1_001;
    is(1_000, alice);
    is(1_003, 0);
    const live = () => [1_000 as Pid, 1_003 as Pid].filter((pid) => machine.kernel.processes.has(pid));
    machine.found = { ...machine.found, processesBelow: () => Promise.resolve(live()) };
    expect(await killFound(machine, machine.store.registry.root, alice, 0)).toBe(true);
    expect([machine.lives, machine.kernel.calls.filter(([name]) => name === 'pidfdSendSignal').length]).toEqual([
      true,
      1,
    ]);
  });
});
