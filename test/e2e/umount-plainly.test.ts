import { execFileSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { supervisorOf } from '../support/daemon-deaths.ts';
import { eventually, mounted } from '../support/mounted.ts';
import { lives } from '../support/pinned.ts';

test.each(['on', 'off'])('a tree that umount(8) takes away takes its daemon along: --discovery %s', async (how) => {
  await using first = await mounted('--discovery', how);
  // Whatever looks for containers of others was started when the first one was there.
  await using second = await mounted('--discovery', how);
  for (const tree of [first, second]) {
    await tree.ok('mkdir web');
    const processes = [tree.daemon(), supervisorOf(tree.instance)];
    execFileSync('umount', [tree.dir]);
    await eventually(() => !processes.some(lives), 'its daemon has ended');
    expect((await tree.nsdir('mount', tree.dir, '--discovery', how)).status).toBe(0);
    expect(await tree.ok('ls')).toContain('web');
  }
});
