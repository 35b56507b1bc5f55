import * as fs from 'node:fs';
import path from 'node:path';
import { expect, it } from 'vitest';
import type { Pid } from '../../src/ids.ts';
import type { Fact } from '../../src/kernel/tracer-link.ts';
import { factsOf } from '../../src/proc/facts.ts';
import { sightOf } from '../../src/proc/sight.ts';
import { errnoOf, POLLED, statusOf, target, traceeOf, UMASK, withCgroup } from '../support/traced.ts';

const cgroup = withCgroup();
const CALLS = [{ number: UMASK, args: [0o123n] }];

/** Asleep in a call, and what is to be seen of it. */
async function sleeping() {
  const child = target('sleep', '1000');
  await expect.poll(() => statusOf(child.pid, 'State'), POLLED).toMatch(/^S/);
  return { child, facts: factsOf(sightOf(fs, child.pid as Pid)!) };
}

it('a process makes calls at once where it is as it was seen, in the cgroup that it is moved into', async () => {
  const { child, facts } = await sleeping();
  const own = path.join(cgroup(), 'own');
  fs.mkdirSync(own);
  const joins = path.join(own, 'cgroup.procs');
  expect(await traceeOf(child.pid).seizeAndCall(CALLS, { facts, joins })).toBe(true);
  expect([statusOf(child.pid, 'Umask'), fs.readFileSync(joins, 'utf8')]).toEqual(['0123', `${child.pid}\n`]);
  await expect.poll(() => statusOf(child.pid, 'State'), POLLED).toMatch(/^S/);
  expect(fs.readFileSync(`/proc/${child.pid}/syscall`, 'utf8')).toMatch(/^(230|219|35) /);
});

it.for<[string, (fact: Fact) => Fact]>([
  ['start', (fact) => ({ ...fact, text: `${fact.text}1` })],
  ['whole', (fact) => ({ ...fact, text: `${fact.text}0::/more\n` })],
  ['whole', (fact) => ({ ...fact, text: fact.text.slice(0, -1) })],
  ['lines', (fact) => ({ ...fact, text: fact.text.replace('Threads:\t1', 'Threads:\t2') })],
  ['lines', (fact) => ({ ...fact, text: fact.text.replace('Tgid:\t', 'Tgid:\t1') })],
  ['end', (fact) => ({ ...fact, text: '[1]' })],
  ['end', (fact) => ({ ...fact, text: '' })],
  ['end', (fact) => ({ ...fact, path: '/proc/self/nothing/there' })],
])('nothing is done where a fact is another one: %s, %s', async ([how, change]) => {
  const { child, facts } = await sleeping();
  const at = facts.findLastIndex((fact) => fact.how === how);
  const changed = facts.map((fact, index) => (index === at ? change(fact) : fact));
  const tracee = traceeOf(child.pid);
  const joins = path.join(cgroup(), 'nowhere', 'cgroup.procs');
  expect(await tracee.seizeAndCall(CALLS, { facts: changed, joins: undefined })).toBe(false);
  await tracee.end();
  await expect.poll(() => statusOf(child.pid, 'TracerPid'), POLLED).toBe('0');
  expect(await traceeOf(child.pid).seizeAndCall(CALLS, { facts, joins })).toBe(false);
  expect(statusOf(child.pid, 'Umask')).toBe('0022');
});

it('calls are given up that are kept from being made by the cgroup it is moved into, and it is as it was', async () => {
  const { child, facts } = await sleeping();
  const frozen = path.join(cgroup(), 'frozen');
  fs.mkdirSync(frozen);
  fs.writeFileSync(path.join(frozen, 'cgroup.freeze'), '1');
  const made = traceeOf(child.pid).seizeAndCall(CALLS, { facts, joins: path.join(frozen, 'cgroup.procs') });
  expect(await errnoOf(made)).toBe('ETIMEDOUT');
  await expect.poll(() => statusOf(child.pid, 'TracerPid'), POLLED).toBe('0');
  fs.writeFileSync(path.join(frozen, 'cgroup.freeze'), '0');
  await expect.poll(() => statusOf(child.pid, 'State'), POLLED).toMatch(/^S/);
  expect([statusOf(child.pid, 'Umask'), statusOf(child.pid, 'SigBlk')]).toEqual(['0022', '0000000000000000']);
  expect(fs.readFileSync(`/proc/${child.pid}/syscall`, 'utf8')).toMatch(/^(230|219|35) /);
});
