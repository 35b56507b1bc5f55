import { setTimeout as sleep } from 'node:timers/promises';
import { beforeEach, describe, expect, it } from 'vitest';
import { bundle, byRuntime, COUNTS, RUNTIMES, type Bundle, type RuntimeName } from '../support/bundles.ts';
import { criuIsMissing, nothingHeld, wentOn } from '../support/checkpoints.ts';
import { cgroupsOf, initOf, nothingLeft, processesOf, scratch } from '../support/containers.ts';
import { eventually, mounted, type Mounted } from '../support/mounted.ts';
import { pinnedIn, signal } from '../support/pinned.ts';
import { runFiles } from '../../src/instance.ts';

const missing = await criuIsMissing();
let tree: Mounted;
let disk: ReturnType<typeof scratch>;
let made: Bundle;
/** Of both runtimes, the first that there is if none is named. */
const mount = (runtime?: RuntimeName) => async () => {
  const only = runtime && byRuntime(runtime);
  disk = scratch();
  made = bundle(COUNTS);
  tree = await mounted();
  return async () => {
    await tree[Symbol.asyncDispose]();
    made[Symbol.dispose]();
    disk[Symbol.dispose]();
    only?.[Symbol.dispose]();
  };
};

const link = () => tree.ok(`mkdir web; ln -s ${made.dir} web/.bundle`);

describe.each(RUNTIMES)('a container that runs a bundle by %s', (runtime) => {
  beforeEach(mount(runtime));

  it('is the same for the next daemon, and its exit status is known', async () => {
    await link();
    await tree.ok('echo running > web/.state');
    const init = await initOf(tree, 'web');
    await tree.killDaemon();
    expect(await initOf(tree, 'web')).toBe(init);
    expect(await tree.ok('cat web/.state; ls -A web | grep -c error || :')).toBe('running\n0');
    await made.counter.beyond(made.counter.last() + 2);
    await tree.ok('echo KILL > web/.signal');
    await eventually(async () => (await tree.ok('cat web/.state')) === 'stopped', 'it has ended');
    expect(await tree.ok('cat web/.exit')).toBe('137');
    await nothingLeft(tree);
  });

  it('runs, or does not, if the daemon dies while it is being started', async () => {
    for (const moment of [5, 15, 25, 35, 45, 60]) {
      await link();
      const starting = tree.sh('echo running > web/.state');
      await sleep(moment);
      await tree.killDaemon();
      // The next daemon answers.
      expect((await starting).status).toBe(0);
      await made.counter.beyond(made.counter.last());
      expect(processesOf(tree)).toContain(await initOf(tree, 'web'));
      await tree.ok('rm -rf web');
      await nothingLeft(tree);
      expect(cgroupsOf(tree)).toEqual([]);
    }
  });

  it('goes on from an archive, again and again, as the same that runs the bundle', async ({ skip }) => {
    skip(missing !== undefined, missing);
    await link();
    await tree.ok('echo running > web/.state');
    await made.counter.beyond(3);
    for (const name of ['first', 'second']) {
      const file = disk.at(`${name}.tar`);
      await tree.ok(`tar cf ${file} web && rm -rf web && tar xf ${file}`);
      await made.counter.beyond(made.counter.last() + 2);
      const { stdout } = await tree.nsdir('logs', 'web');
      expect(Number(stdout.split('\n')[0])).toBeGreaterThan(3);
      expect(await tree.ok('readlink web/.bundle; cat web/.state')).toBe(`${made.dir}\nrunning`);
    }
    wentOn(made.counter.numbers(), 2);
    await nothingHeld(tree);
    await tree.ok('echo stopped > web/.state');
    expect(await tree.ok('cat web/.exit')).toBe('137');
    const before = made.counter.last();
    expect(before).toBeGreaterThan(3);
    // From the bundle it begins anew.
    await tree.ok('echo running > web/.state');
    await eventually(() => made.counter.last() < before, 'it began anew');
  });
});

describe('a container that runs a bundle', () => {
  beforeEach(mount());

  it('is found by a daemon whose launcher has died too', async () => {
    await link();
    await tree.ok('echo running > web/.state');
    const init = await initOf(tree, 'web');
    const launcher = pinnedIn(runFiles(tree.instance).launcherPid);
    signal(launcher, 'SIGKILL');
    await tree.killDaemon();
    expect(await initOf(tree, 'web')).toBe(init);
    await tree.ok('rm -rf web');
    await nothingLeft(tree);
  });

  it('is suspended and resumed by mv, and frozen comes back frozen', async ({ skip }) => {
    skip(missing !== undefined, missing);
    await link();
    await tree.ok('echo running > web/.state');
    await made.counter.beyond(3);
    const suspend = () =>
      tree.sh(
        `rm -rf ${disk.at('saved')}; mkdir ${disk.at('saved')}; echo frozen > web/.state; mv web ${disk.at('saved')}`,
      );
    let suspended = await suspend();
    // It may stand still where a process of it has just forked: then another moment may be better.
    for (let moments = 1; moments < 10 && suspended.stderr.includes('Device or resource busy'); moments++) {
      await tree.ok('echo running > web/.state');
      suspended = await suspend();
    }
    expect(suspended).toEqual({ status: 0, stdout: '', stderr: '' });
    const last = made.counter.last();
    await nothingLeft(tree);
    await tree.ok(`mv ${disk.at('saved')}/web .`);
    expect(await tree.ok('cat web/.state')).toBe('frozen');
    expect(made.counter.last()).toBe(last);
    await tree.ok('echo running > web/.state');
    await made.counter.beyond(last + 2);
    wentOn(made.counter.numbers(), 1);
  });

  it('is not saved without namespaces of its own, nor restored without its bundle', async ({ skip }) => {
    skip(missing !== undefined, missing);
    made.configure((config) => {
      const namespaces = config.linux.namespaces.filter(({ type }) => type !== 'pid');
      return { ...config, linux: { ...config.linux, namespaces } };
    });
    await link();
    await tree.ok('echo running > web/.state');
    await made.counter.beyond(3);
    expect((await tree.sh(`tar cf ${disk.at('web.tar')} web`)).status).not.toBe(0);
    expect(await tree.ok('cat web/.error')).toMatch(/it has no pid namespace of its own/);
    await made.counter.beyond(made.counter.last() + 2);
    await tree.ok('echo stopped > web/.state');
    made.configure((config) => config);
    await tree.ok(`echo running > web/.state && tar cf ${disk.at('web.tar')} web && rm -rf web`);
    await tree.ok(`mv ${made.dir}/rootfs ${made.dir}/gone`);
    expect((await tree.sh(`tar xf ${disk.at('web.tar')}`)).status).not.toBe(0);
    expect(await tree.ok('cat web/.error')).toMatch(/rootfs/);
    await eventually(() => processesOf(tree).length === 0, 'nothing of it runs');
    await tree.ok(`mv ${made.dir}/gone ${made.dir}/rootfs; echo running > web/.state`);
    await made.counter.beyond(made.counter.last());
  });

  it('is not saved where it could not be restored: without a /tmp in a root that is read-only', async ({ skip }) => {
    skip(missing !== undefined, missing);
    await tree.ok(`rmdir ${made.dir}/rootfs/tmp`);
    await link();
    await tree.ok('echo running > web/.state');
    await made.counter.beyond(3);
    expect((await tree.sh(`tar cf ${disk.at('web.tar')} web`)).status).not.toBe(0);
    expect(await tree.ok('cat web/.error')).toMatch(/read-only and has no \/tmp.*make that directory/);
    await made.counter.beyond(made.counter.last() + 2);
    made.configure((config) => ({ ...config, root: { ...config.root, readonly: false } }));
    await tree.ok('echo stopped > web/.state; echo running > web/.state');
    await tree.ok(`tar cf ${disk.at('web.tar')} web && rm -rf web && tar xf ${disk.at('web.tar')}`);
    await made.counter.beyond(made.counter.last() + 2);
  });
});
