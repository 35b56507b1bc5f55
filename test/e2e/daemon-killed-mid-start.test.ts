import { afterAll, beforeAll, expect, test } from 'vitest';
import { consistent } from '../support/consistency.ts';
import { OK, struck } from '../support/daemon-deaths.ts';
import { mounted, type Mounted } from '../support/mounted.ts';

let tree: Mounted;
beforeAll(async () => {
  tree = await mounted();
});
afterAll(() => tree[Symbol.asyncDispose]());

test.each([1, 5, 10, 15, 20])(
  'a daemon killed %i ms after the start of twelve: all run, each with one init',
  async (ms) => {
    await tree.ok('mkdir some; cd some; mkdir 1 2 3 4 5 6 7 8 9 10 11 12');
    const all = 'for at in some/*; do echo running > $at/.state & pids="$pids $!"; done';
    expect(await struck(tree, `${all}; for pid in $pids; do wait $pid || exit; done`, ms)).toEqual(OK);
    expect(await tree.ok('cat some/*/.state | sort | uniq -c | tr -d " "')).toBe('12running');
    await consistent(tree);
    await tree.ok('rm -rf some');
  },
);

test.each([1, 2, 3, 4, 5, 7])(
  'a daemon killed %i ms after a start with a network: that is not refused as done',
  async (ms) => {
    await tree.ok('mkdir net');
    expect(await struck(tree, 'echo running +net > net/.state', ms)).toEqual(OK);
    expect(await tree.ok('cat net/.state')).toBe('running');
    expect(await tree.ok('readlink net/.init/ns/net')).not.toBe(await tree.ok('readlink /proc/self/ns/net'));
    await consistent(tree);
    await tree.ok('rm -rf net');
  },
);
