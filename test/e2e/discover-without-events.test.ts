import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { runFiles } from '../../src/instance.ts';
import { discovering, shown, unshared } from '../support/found.ts';
import { eventually } from '../support/mounted.ts';

/** Pids of the processes whose command line has all of these in it. */
function pidsWith(...parts: string[]): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        const text = readFileSync(`/proc/${pid}/cmdline`, 'utf8');
        return parts.every((part) => text.includes(part));
      } catch {
        return false;
      }
    })
    .map(Number);
}

const TRACEFS = '/sys/kernel/tracing';

it('finds what others make also when the reader of the kernel’s events was killed', async ({ skip }) => {
  skip(!existsSync(TRACEFS), `there is no ${TRACEFS}: this kernel tells no events`);
  await using tree = await discovering();
  const instance = `nsdir-${tree.instance.id}.`;
  const readers = () => pidsWith('events', '/trace_pipe', instance);
  await eventually(() => readers().length === 1, 'somebody reads the events');
  await using before = await unshared(['--uts']);
  await shown(tree, before.pid);
  await tree.ok(`kill -KILL ${readers()[0] ?? 0}`);
  const log = () => readFileSync(runFiles(tree.instance).daemonLog, 'utf8');
  await eventually(() => log().includes('no events from the kernel'), 'the daemon knows');
  await using after = await unshared(['--uts']);
  expect(await shown(tree, after.pid)).not.toBe(await shown(tree, before.pid));
});
