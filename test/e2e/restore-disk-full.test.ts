import { mkdirSync, readdirSync, readFileSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { execa } from 'execa';
import { beforeEach, describe, expect, it } from 'vitest';
import { runFiles } from '../../src/instance.ts';
import { counting, eachWithDisk, nothingHeld, type Counting, type Scratch } from '../support/checkpoints.ts';
import { consistent } from '../support/consistency.ts';
import { cgroupsOf, detached, processesOf } from '../support/containers.ts';
import { eventually, mounted, type Mounted } from '../support/mounted.ts';
import { lives, pinnedIn, signal } from '../support/pinned.ts';

let disk: Scratch;
/** A file system with little room; what takes images is there, and in one test the run directory. */
let small: string;
eachWithDisk((directory) => {
  disk = directory;
  small = disk.at('small');
});
beforeEach(async () => {
  mkdirSync(small);
  await execa('mount', ['-t', 'tmpfs', '-o', 'size=32m', 'tmpfs', small]);
  return async () => {
    await execa('umount', ['--lazy', small]);
  };
});

/** More than there is room for, with the ballast. */
const HELD_BYTES = 12 << 20;
const FREE_BYTES = 6 << 20;
const HOLD = `import os, sys, time; held = os.urandom(${HELD_BYTES}); open(sys.argv[1], 'w').close(); time.sleep(1000)`;

const fill = (freeBytes: number) => {
  const { bavail, bsize } = statfsSync(small);
  writeFileSync(`${small}/ballast`, Buffer.alloc(bavail * bsize - freeBytes));
};
const empty = () => {
  rmSync(`${small}/ballast`);
};

/** A container that is saved, and removed. */
async function saved(tree: Mounted): Promise<Counting> {
  const counter = await counting(tree, 'web', disk.at('count'));
  await detached(tree, 'web', ['python3', '-c', HOLD, disk.at('holds')]);
  await eventually(() => disk.read('holds') === '' && readdirSync(disk.dir).includes('holds'), 'it holds memory');
  await tree.ok(`tar cf ${disk.at('web.tar')} web && rm -rf web`);
  return counter;
}

/** Images of the mount's container of that number go to the small file system; returns what undoes that. */
async function imagesOnSmall(tree: Mounted, serial: number): Promise<AsyncDisposable> {
  const images = `${tree.instance.stateDir}/${serial}.checkpoints`;
  await tree.ok(`mkdir -p ${small}/images ${images} && mount --bind ${small}/images ${images}`);
  return {
    async [Symbol.asyncDispose]() {
      await tree.ok(`umount ${images} && rmdir ${images}`);
    },
  };
}

/** The kernel writes images to the disk by itself, or it cannot, and the daemon does. */
const WAYS: readonly (readonly [how: string, options: readonly string[]])[] = [
  ['the kernel', []],
  ['the daemon', ['--no-resend']],
];

describe('an archive for which there is no room', () => {
  it.for(WAYS)(
    'fails to be unpacked, says so and does not start, where images are written by %s',
    async ([, options]) => {
      await using tree = await mounted(...options);
      const counter = await saved(tree);
      {
        await using _ = await imagesOnSmall(tree, 2);
        fill(FREE_BYTES);
        const daemon = tree.daemonPid();
        const { status, stderr } = await tree.sh(`tar xf ${disk.at('web.tar')}`);
        expect(status).not.toBe(0);
        expect(stderr).toContain('No space left on device');
        expect(await tree.ok('cat web/.error')).toMatch(
          /^ENOSPC: Cannot restore "web": .*\/2\.checkpoints.* has no room/,
        );
        expect(await tree.ok('cat web/.state 2>/dev/null || echo none')).toBe('none');
        expect(processesOf(tree)).toEqual([]);
        await tree.ok('rm -rf web');
        await eventually(() => readdirSync(`${small}/images`).length === 0, 'what arrived is gone');
        expect(cgroupsOf(tree)).toEqual([]);
        expect(tree.daemonPid()).toBe(daemon);
      }
      // With room it is as good as ever.
      empty();
      await tree.ok(`tar xf ${disk.at('web.tar')}`);
      await counter.beyond(counter.last());
      await tree.ok('rm -rf web');
      await nothingHeld(tree);
    },
  );

  it('leaves the tree as it was, where the journal has no room either', async () => {
    const runDir = `${small}/run`;
    const own = await mounted('--run-dir', runDir);
    const instance = { ...own.instance, runDir };
    const { daemonPid } = runFiles(instance);
    const tree: Mounted = {
      ...own,
      instance,
      daemonPid: () => Number(readFileSync(daemonPid, 'utf8')),
      daemon: () => pinnedIn(daemonPid),
    };
    try {
      const counter = await saved(tree);
      await tree.ok('mkdir other; echo running > other/.state');
      {
        await using _ = await imagesOnSmall(tree, 3);
        fill(FREE_BYTES);
        const { status, stderr } = await tree.sh(`tar xf ${disk.at('web.tar')}`);
        expect(status).not.toBe(0);
        expect(stderr).toContain('No space left on device');
        expect(await tree.ok('cat web/.state 2>/dev/null || echo none; cat other/.state')).toBe('none\nrunning');
        await consistent(tree);
        const daemon = tree.daemon();
        signal(daemon, 'SIGKILL');
        await eventually(() => !lives(daemon) && lives(tree.daemon()), 'another daemon serves');
        expect(await tree.ok('cat web/.state 2>/dev/null || echo none; cat other/.state')).toBe('none\nrunning');
        empty();
        await tree.ok('rm -rf web');
        await eventually(() => readdirSync(`${small}/images`).length === 0, 'what arrived is gone');
      }
      await tree.ok(`tar xf ${disk.at('web.tar')}`);
      await counter.beyond(counter.last());
      await tree.ok('rm -rf web');
      await consistent(tree);
      await nothingHeld(tree);
    } finally {
      await tree.nsdir('umount', '--kill', '--lazy', '--run-dir', runDir, tree.dir);
    }
  });
});
