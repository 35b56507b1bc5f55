import { readFileSync } from 'node:fs';
import { once } from 'node:events';
import { expect, it } from 'vitest';
import { initOf } from '../support/containers.ts';
import { eventually, mounted, NSDIR } from '../support/mounted.ts';
import { lives, pinned } from '../support/pinned.ts';

it.each(['SIGTERM', 'SIGINT'] as const)(
  'mounts while it runs in the foreground, and not beyond %s; containers live on',
  async (signal) => {
    await using tree = await mounted();
    await tree.ok('mkdir web; echo running > web/.state');
    const init = pinned(await initOf(tree, 'web'));
    expect((await tree.nsdir('umount', tree.dir)).status).toBe(0);
    const isMounted = () => readFileSync('/proc/self/mountinfo', 'utf8').includes(` ${tree.dir} `);
    expect(isMounted()).toBe(false);

    const daemon = tree.background(process.execPath, NSDIR, 'mount', '-f', tree.dir);
    const state = async () => (await tree.sh(`cat ${tree.dir}/web/.state`)).stdout;
    await eventually(async () => isMounted() && (await state()) === 'running', 'it serves');
    daemon.kill(signal);
    expect(await once(daemon, 'exit')).toEqual([0, null]);
    expect([isMounted(), lives(init)]).toEqual([false, true]);
    expect((await tree.nsdir('mount', tree.dir)).status).toBe(0);
    expect(await initOf(tree, 'web')).toBe(init.pid);
  },
);
