import { readFileSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { runFiles } from '../../src/instance.ts';
import { consistent } from '../support/consistency.ts';
import { inside, nothingLeft, processesOf } from '../support/containers.ts';
import { OK, serving, struck } from '../support/daemon-deaths.ts';
import { eventually, mounted, type Mounted } from '../support/mounted.ts';
import { signal } from '../support/pinned.ts';

let tree: Mounted;
beforeAll(async () => {
  tree = await mounted();
});
afterEach(async () => {
  standStill(false);
  await tree.ok('rm -rf web some');
});
afterAll(() => tree[Symbol.asyncDispose]());

/** Whether inits that are being made stand still. */
function standStill(frozen: boolean): void {
  writeFileSync(`${tree.cgroup()}/cgroup.freeze`, frozen ? '1' : '0');
}

test.each(['running', 'running +net'])(
  'the daemon dies in the middle of "%s": the next one starts it',
  async (word) => {
    await tree.ok('mkdir web');
    standStill(true);
    let isDone = false;
    const writing = tree.sh(`echo ${word} > web/.state`).finally(() => (isDone = true));
    await eventually(() => processesOf(tree).length === 1, 'an init is being made');
    signal(tree.daemon(), 'SIGKILL');
    await serving(tree);
    await sleep(300);
    expect(isDone).toBe(false);
    standStill(false);
    expect(await writing).toEqual(OK);
    await consistent(tree);
    expect(await inside(tree, 'web', 'echo $$')).toMatchObject({
      status: 0,
      stdout: expect.stringMatching(/^\d+$/) as string,
    });
  },
);

test('the daemon dies in the middle of a start that nobody waits for any more: nothing of it is left', async () => {
  await tree.ok('mkdir web');
  standStill(true);
  const writing = tree.sh('timeout -s KILL 0.3 sh -c "echo running > web/.state"');
  await eventually(() => processesOf(tree).length === 1, 'an init is being made');
  signal(tree.daemon(), 'SIGKILL');
  await writing;
  await serving(tree);
  standStill(false);
  await consistent(tree);
  await nothingLeft(tree);
  expect(await tree.ok('ls -A web')).toBe('');
  await tree.ok('echo running > web/.state');
  await consistent(tree);
});

test('a start that the daemon could not write down any more is known to the next one', async () => {
  await tree.ok('mkdir web; echo running > web/.state');
  const init = await tree.ok('readlink web/.init');
  const { journal } = runFiles(tree.instance);
  const lines = readFileSync(journal, 'utf8').split('\n');
  signal(tree.daemon(), 'SIGSTOP');
  writeFileSync(journal, lines.filter((line) => !line.includes('"op":"start"')).join('\n'));
  signal(tree.daemon(), 'SIGKILL');
  await serving(tree);
  expect(await tree.ok('readlink web/.init')).toBe(init);
  expect(await tree.ok('cat web/.state')).toBe('running');
  await consistent(tree);
});

test.each([1, 7, 15])('a daemon killed %i ms after the start of twelve: all run, each with one init', async (ms) => {
  await tree.ok('mkdir some; cd some; mkdir 1 2 3 4 5 6 7 8 9 10 11 12');
  const all = 'for at in some/*; do echo running > $at/.state & pids="$pids $!"; done';
  expect(await struck(tree, `${all}; for pid in $pids; do wait $pid || exit; done`, ms)).toEqual(OK);
  expect(await tree.ok('cat some/*/.state | sort | uniq -c | tr -d " "')).toBe('12running');
  await consistent(tree);
});
