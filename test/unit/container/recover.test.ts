import { truncateSync, statSync, writeFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { isFrozen } from '../../../src/cgroup/cgroup.ts';
import type { Container } from '../../../src/container/container.ts';
import { pathOf, subtree } from '../../../src/container/container.ts';
import { freeze } from '../../../src/container/freeze.ts';
import { recover } from '../../../src/container/recover.ts';
import { start } from '../../../src/container/start.ts';
import type { Pid } from '../../../src/ids.ts';
import { FakeMachine, OWN_NAMESPACES as OWN } from '../../support/fake-machine.ts';

const OUTSIDE = 1 as Pid;

async function running(machine: FakeMachine, path: string): Promise<Container> {
  const container = machine.container(path);
  await start(machine, container, machine.request());
  return container;
}

/** The daemon was killed; what the next one makes of it. */
async function afterDeath(machine: FakeMachine): Promise<FakeMachine> {
  const next = machine.nextDaemon();
  await recover(next);
  expect(next.logged.filter(([level]) => level === 'error')).toEqual([]);
  return next;
}

/** Path and phase of all there is. */
function shown({ store }: FakeMachine): string[] {
  return [...subtree(store.registry.root)].slice(1).map((container) => `${pathOf(container)} ${container.phase}`);
}

describe('recover', () => {
  test('finishes removals side by side', async () => {
    using machine = new FakeMachine();
    const names = ['a', 'b', 'c'];
    for (const name of names) {
      const { serial } = machine.container(name);
      const node = {
        serial: machine.store.registry.nextSerial,
        parent: serial,
        name: 'unnamed1',
        mode: 0o755,
        uid: 0,
        gid: 0,
      };
      machine.store.commit([
        { op: 'found', ...node, key: 'k', mark: name, kinds: [], at: { sec: 1, nsec: 0 } },
        { op: 'phase', serial, phase: 'removing', at: { sec: 1, nsec: 0 } },
      ]);
    }
    const next = machine.nextDaemon();
    let asked = 0;
    let go = (): void => undefined;
    const all = new Promise<void>((resolve) => (go = resolve));
    const processesBelow = async () => {
      if (++asked === names.length) go();
      await all;
      return [];
    };
    next.found = { ...next.found, processesBelow };
    await recover(next);
    expect(shown(next)).toEqual([]);
  });

  test('finds all as it was: running, frozen, never started', async () => {
    using machine = new FakeMachine();
    const job = await running(machine, 'web/job');
    await freeze(machine, await running(machine, 'db'), { pid: OUTSIDE, uid: 0 });
    const next = await afterDeath(machine);
    expect(shown(next)).toEqual(['web declared', 'web/job running', 'db frozen']);
    expect(next.container('web/job').init).toEqual(job.init);
  });

  test('an init that died meanwhile, the last process: stopped, the cgroup is gone', async () => {
    using machine = new FakeMachine();
    const web = await running(machine, 'web');
    machine.killUnheard(web.init!.pid);
    const next = await afterDeath(machine);
    expect([shown(next), next.container('web').init]).toEqual([['web stopped'], undefined]);
    expect(next.files.existsSync(machine.cgroupOf(web))).toBe(false);
  });

  test('an init that died meanwhile and left others: runs without init until they are gone', async () => {
    using machine = new FakeMachine();
    const web = await running(machine, 'web');
    const orphan = machine.spawn(web);
    machine.killUnheard(web.init!.pid);
    const next = await afterDeath(machine);
    expect([shown(next), next.container('web').init]).toEqual([['web running'], undefined]);
    next.kill(orphan);
    await expect.poll(() => shown(next), { timeout: 3000 }).toEqual(['web stopped']);
  });

  test('does not take another process of the same pid for the init', async () => {
    using machine = new FakeMachine();
    const web = await running(machine, 'web');
    const { pid } = web.init!;
    machine.killUnheard(pid);
    machine.spawn(web, { pid, starttime: 8 });
    const next = await afterDeath(machine);
    expect(next.container('web').init).toBeUndefined();
  });

  test('frozen or thawed by hand meanwhile: says what is', async () => {
    using machine = new FakeMachine();
    const [web, db] = [await running(machine, 'web'), await running(machine, 'db')];
    await freeze(machine, db, { pid: OUTSIDE, uid: 0 });
    machine.files.writeFileSync(`${machine.cgroupOf(web)}/cgroup.freeze`, '1');
    machine.files.writeFileSync(`${machine.cgroupOf(db)}/cgroup.freeze`, '0');
    expect(shown(await afterDeath(machine))).toEqual(['web frozen', 'db running']);
  });

  test('finishes a removal that was begun', async () => {
    using machine = new FakeMachine();
    const web = await running(machine, 'web');
    const at = machine.cgroupOf(web);
    machine.store.commit([{ op: 'phase', serial: web.serial, phase: 'removing', at: web.changed }]);
    const next = await afterDeath(machine);
    expect([shown(next), next.cgroupfs.processes.size, next.files.existsSync(at)]).toEqual([[], 0, false]);
  });

  test('kills what a removal left whose container is forgotten already', async () => {
    using machine = new FakeMachine();
    const web = await running(machine, 'web');
    machine.store.commit([{ op: 'drop', serial: web.serial, at: web.changed }]);
    const next = await afterDeath(machine);
    expect([next.cgroupfs.processes.size, next.files.existsSync(`${next.cgroupBase}/1`)]).toEqual([0, false]);
  });

  test('never gives the serial of a container again that was removed', async () => {
    using machine = new FakeMachine();
    const { serial, ctime: at } = machine.container('web');
    machine.store.commit([{ op: 'drop', serial, at }]);
    const next = await afterDeath(machine);
    expect(next.container('web').serial).toBe(serial + 1);
  });

  test.each(['before', 'after'])('finishes a move that died %s it was written down, and all goes on', async (when) => {
    using machine = new FakeMachine();
    const web = await running(machine, 'web');
    const job = await running(machine, 'web/job');
    const group = machine.container('group');
    const [here, there] = [machine.cgroupOf(web), `${machine.cgroupOf(group)}/${web.serial}`];
    machine.store.commit([{ op: 'moving', serial: web.serial, moving: true }]);
    machine.files.writeFileSync(`${here}/cgroup.freeze`, '1');
    machine.cgroupfs.cgroup(`${there}/own`, web.init!.pid);
    machine.files.writeFileSync(`${there}/cgroup.freeze`, '1');
    if (when === 'after') {
      const to = { parent: group.serial, name: 'web', at: web.ctime };
      machine.store.commit([{ op: 'move', serial: web.serial, ...to }]);
      machine.store.commit([{ op: 'moving', serial: web.serial, moving: true }]);
    }
    const next = await afterDeath(machine);
    expect(shown(next)).toEqual(
      when === 'after'
        ? ['group declared', 'group/web running', 'group/web/job running']
        : ['web running', 'web/job running', 'group declared'],
    );
    for (const { serial, init } of [web, job]) {
      const directory = next.cgroupOf(next.store.registry.get(serial)!);
      expect(next.cgroupfs.processes.get(init!.pid)).toBe(`${directory}/own`);
      expect(isFrozen(next.files, directory)).toBe(false);
    }
    expect(next.files.existsSync(when === 'after' ? here : there)).toBe(false);
  });

  test('a start whose record is lost: its init is adopted, with its namespaces', async () => {
    using machine = new FakeMachine();
    machine.spawn('/sys/fs/cgroup/daemon', { pid: process.pid });
    const web = machine.container('web');
    machine.beforeStart = ({ cgroupDir }) => {
      const pid = machine.spawn(cgroupDir, { starttime: 7, ns: { ...OWN, uts: 99 } });
      machine.launcher.inits.set(web.serial, { pid, startTime: 7 });
      throw new Error('the daemon dies here');
    };
    const spared = machine.files.writeFileSync.bind(machine.files);
    machine.files.writeFileSync = (file, data) => {
      if (!file.endsWith('cgroup.kill')) spared(file, data);
    };
    void start(machine, web, machine.request()).catch(() => undefined);
    await new Promise(setImmediate);
    const next = await afterDeath(machine);
    expect(next.container('web')).toMatchObject({ phase: 'running', kinds: ['uts'] });
    expect(next.container('web').init).toBeDefined();
  });

  test('a start from a bundle whose record is lost, and of which no launcher tells: its init is process 1 in there', async () => {
    using machine = new FakeMachine();
    machine.spawn('/sys/fs/cgroup/daemon', { pid: process.pid });
    const web = machine.container('web');
    machine.store.commit([{ op: 'bundle', serial: web.serial, bundle: '/srv/web', at: web.changed }]);
    machine.spawn(web, { comm: 'nsdir-init', nsPids: [1000, 7] });
    const init = machine.spawn(web, { comm: 'nginx', nsPids: [1001, 1] });
    const next = await afterDeath(machine);
    expect(next.container('web')).toMatchObject({ phase: 'running', bundle: '/srv/web', init: { pid: init } });
  });

  test('a journal torn at its end: the container lives on under a name that says so, where it was', async () => {
    using machine = new FakeMachine();
    const journal = `${machine.directory}/journal`;
    await running(machine, 'web');
    const before = statSync(journal).size;
    const job = await running(machine, 'web/job');
    truncateSync(journal, before + 10);
    const next = await afterDeath(machine);
    expect(shown(next)).toEqual(['web running', `web/recovered-${job.serial} running`]);
    expect(next.container(`web/recovered-${job.serial}`)).toMatchObject({ uid: 0, mode: 0o700 });
  });

  test('a name that is taken is not taken away by what is recovered', async () => {
    using machine = new FakeMachine();
    const journal = `${machine.directory}/journal`;
    machine.container('recovered-2');
    const before = statSync(journal).size;
    await running(machine, 'web');
    truncateSync(journal, before);
    expect(shown(await afterDeath(machine))).toEqual(['recovered-2 declared', 'recovered-2+ running']);
  });

  test('a journal that is lost altogether: what runs is kept', async () => {
    using machine = new FakeMachine();
    await running(machine, 'web');
    await running(machine, 'web/job');
    writeFileSync(`${machine.directory}/journal`, '');
    expect(shown(await afterDeath(machine))).toEqual(['recovered-1 running', 'recovered-1/recovered-2 running']);
  });

  test('does it all over again the same way', async () => {
    using machine = new FakeMachine();
    await running(machine, 'web/job');
    await freeze(machine, await running(machine, 'db'), { pid: OUTSIDE, uid: 0 });
    const next = await afterDeath(machine);
    const third = await afterDeath(next);
    expect(shown(third)).toEqual(shown(next));
    expect(third.cgroupfs.processes.size).toBe(2);
  });
});
