import { execFileSync, spawn } from 'node:child_process';
import * as fs from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { errnoNumber } from '../../src/errno.ts';
import type { Pid } from '../../src/ids.ts';
import { Tracers } from '../../src/kernel/tracers.ts';
import { TracerProcess } from '../../src/kernel/tracer-process.ts';
import { INIT_BINARY } from '../support/launched.ts';
import { errnoOf, POLLED, statusOf, target, traceeOf, UMASK, withCgroup } from '../support/traced.ts';

/** Asleep uninterruptibly as a process is that waits in vfork(2) for its child, until a byte comes. Then it says so. */
const VFORK = `
#include <stdio.h>
#include <unistd.h>
int main(void) { char byte; if (vfork() == 0) { read(0, &byte, 1); _exit(0); } puts("on"); fflush(stdout); pause(); }
`;

let directory: string;
beforeAll(() => {
  directory = fs.mkdtempSync('/var/tmp/nsdir-tracer-');
  fs.writeFileSync(path.join(directory, 'vfork.c'), VFORK);
  execFileSync('cc', ['-o', path.join(directory, 'vfork'), path.join(directory, 'vfork.c')]);
});
afterAll(() => {
  fs.rmSync(directory, { recursive: true });
});
const cgroup = withCgroup();

async function seized(pid: number) {
  const link = new TracerProcess(INIT_BINARY);
  const tracee = traceeOf(pid, link);
  await tracee.seize(false);
  return { link, tracee };
}

it('gives a process up that does not stop, which then goes on as if nothing had been', async () => {
  const child = target(path.join(directory, 'vfork'));
  await expect.poll(() => statusOf(child.pid, 'State'), POLLED).toMatch(/^D/);
  const { link, tracee } = await seized(child.pid);
  expect(await errnoOf(tracee.stopped())).toBe('EBUSY');
  expect(link.isIdle).toBe(false);
  await expect.poll(() => statusOf(child.pid, 'TracerPid'), POLLED).toBe('0');
  child.stdin?.write('x');
  await expect.poll(child.output, POLLED).toBe('on\n');
  await expect.poll(() => statusOf(child.pid, 'State'), POLLED).toMatch(/^S/);
});

it('does nothing by what was seen of a process that took long to stop', async () => {
  const child = target(path.join(directory, 'vfork'));
  await expect.poll(() => statusOf(child.pid, 'State'), POLLED).toMatch(/^D/);
  const tracee = traceeOf(child.pid);
  const done = tracee.seizeAndCall([{ number: UMASK, args: [0o123n] }], { facts: [], joins: undefined });
  setTimeout(() => child.stdin?.write('x'), 200);
  expect(await done).toBe(false);
  expect(statusOf(child.pid, 'Umask')).toBe('0022');
  await tracee.end();
});

it('lets a process go that stands still and is not spoken of, and says to a late word that it is late', async () => {
  const child = target('sleep', '1000');
  const { tracee } = await seized(child.pid);
  await tracee.stopped();
  expect(statusOf(child.pid, 'State')).toMatch(/^t/);
  await expect.poll(() => statusOf(child.pid, 'TracerPid'), POLLED).toBe('0');
  await expect.poll(() => statusOf(child.pid, 'State'), POLLED).toMatch(/^S/);
  expect(await errnoOf(tracee.call([{ number: UMASK, args: [0o123n] }]))).toBe('ETIMEDOUT');
  expect(statusOf(child.pid, 'Umask')).not.toBe('0123');
});

it('gives calls up that somebody keeps from being made; when it goes on, it makes none of them', async () => {
  const child = target('sleep', '1000');
  const { link, tracee } = await seized(child.pid);
  await tracee.stopped();
  fs.writeFileSync(path.join(cgroup(), 'cgroup.freeze'), '1');
  const refused = await errnoOf(tracee.call([{ number: UMASK, args: [0o123n] }]));
  await tracee.end(errnoNumber('EPERM'));
  expect([refused, link.isIdle]).toEqual(['ETIMEDOUT', false]);
  fs.writeFileSync(path.join(cgroup(), 'cgroup.freeze'), '0');
  await expect.poll(() => statusOf(child.pid, 'TracerPid'), POLLED).toBe('0');
  await expect.poll(() => statusOf(child.pid, 'State'), POLLED).toMatch(/^S/);
  expect([statusOf(child.pid, 'Umask'), statusOf(child.pid, 'SigBlk')]).toEqual(['0022', '0000000000000000']);
  expect(fs.readFileSync(`/proc/${child.pid}/syscall`, 'utf8')).toMatch(/^(230|219|35) /);
});

it('takes another one where a tracer that was kept has ended since', async () => {
  const child = target('sleep', '1000');
  const tracers = new Tracers(INIT_BINARY);
  const seize = async () => {
    const tracee = tracers.take(child.pid as Pid, undefined);
    await tracee.seize(true);
    const { tracer } = tracee;
    await tracee.end();
    return tracer;
  };
  const first = await seize();
  expect(await seize()).toBe(first);
  execFileSync('kill', ['-KILL', String(first)]);
  await vi.waitFor(() => {
    expect(fs.existsSync(`/proc/${first}`)).toBe(false);
  }, POLLED);
  expect(await seize()).not.toBe(first);
});

it('holds no descriptor of who started the daemon', async () => {
  const other = fs.openSync('/etc/hostname', 'r');
  const tracer = spawn(INIT_BINARY, ['tracer'], { stdio: ['pipe', 'pipe', 'ignore', other] });
  fs.closeSync(other);
  const held = () => fs.readdirSync(`/proc/${tracer.pid ?? 0}/fd`);
  await vi.waitFor(() => {
    expect(held()).toEqual(['0', '1', '2']);
  }, POLLED);
  tracer.stdin?.end();
});
