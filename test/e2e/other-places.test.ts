import { chmodSync, chownSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { instanceFor, runFiles, type Instance } from '../../src/instance.ts';
import { supervisorOf } from '../support/daemon-deaths.ts';
import { cgroup2MountPoint, eventually } from '../support/mounted.ts';
import { AS_USER, nsdir } from '../support/nsdir.ts';
import { lives, pinnedIn } from '../support/pinned.ts';
import { publicCopy } from '../support/public-copy.ts';

/** On the disk, not below /tmp: containers find their sockets there. */
let base: string;
let dir: string;
let instance: Instance;
const mountElsewhere = (...options: string[]) => nsdir(['mount', '--discovery', 'off', ...options, dir]);
const cgroupOf = ({ cgroupName }: Instance) => path.join(cgroup2MountPoint(), cgroupName);

beforeEach(async () => {
  base = mkdtempSync('/var/tmp/nsdir-elsewhere-');
  dir = path.join(base, 'mnt');
  const usual = instanceFor(dir);
  instance = {
    ...usual,
    runDir: path.join(base, 'run'),
    stateDir: path.join(base, 'state'),
    cgroupName: `${usual.cgroupName}-elsewhere`,
  };
  const { runDir, stateDir, cgroupName } = instance;
  const mounted = await mountElsewhere('--run-dir', runDir, '--state-dir', stateDir, '--cgroup', cgroupName);
  expect(mounted.status, mounted.stderr).toBe(0);
});
afterEach(async () => {
  await nsdir(['umount', '--kill', '--lazy', dir]);
  rmSync(base, { recursive: true, force: true });
});

const places = () => path.join(path.dirname(instanceFor(dir).runDir), `${instance.id}.places`);

test('a tree whose directories are elsewhere is used, and taken away, by commands that are not told where', async () => {
  const { stderr } = await nsdir(['run', '-d', '--mount', dir, 'web', '--', 'sh', '-c', 'echo said; exec sleep 1000']);
  expect(stderr).toBe('');
  await eventually(async () => (await nsdir(['logs', '--mount', dir, 'web'])).stdout === 'said', 'it has said it');
  const processes = [pinnedIn(runFiles(instance).daemonPid), supervisorOf(instance)];

  expect((await nsdir(['umount', '--kill', dir])).stdout).toBe(`${dir} is unmounted`);
  expect(processes.some(lives)).toBe(false);
  expect(readdirSync(base)).toEqual(['mnt']);
  expect(existsSync(cgroupOf(instance))).toBe(false);
  expect(existsSync(places())).toBe(false);
});

test('a later mount that is not told where finds its containers', async () => {
  mkdirSync(path.join(dir, 'web'));
  await nsdir(['run', '-d', '--mount', dir, 'web', '--', 'sleep', '1000']);
  const daemon = pinnedIn(runFiles(instance).daemonPid);
  expect((await nsdir(['umount', dir])).stdout).toContain('its containers live on');
  expect(lives(daemon)).toBe(false);
  expect((await mountElsewhere()).status).toBe(0);
  expect(existsSync(path.join(dir, 'web', '.init'))).toBe(true);
  expect(existsSync(instanceFor(dir).runDir)).toBe(false);
});

test('other directories than those of the tree that is mounted are not heeded, and that is said', async () => {
  const { status, stderr } = await mountElsewhere('--run-dir', path.join(base, 'other'));
  expect(status).toBe(1);
  expect(stderr).toContain(`not heeded: --run-dir ${path.join(base, 'other')}.`);
  expect(existsSync(path.join(base, 'other'))).toBe(false);
  // Who names the same ones as before is right.
  expect((await mountElsewhere('--run-dir', instance.runDir)).stdout).toContain('is mounted already');
});

test('other users need not be told either', async () => {
  await using program = await publicCopy();
  chmodSync(base, 0o711);
  mkdirSync(path.join(dir, 'his'));
  chownSync(path.join(dir, 'his'), 1000, 1000);
  const his = (...args: string[]) => nsdir(args, AS_USER, program.nsdir);
  expect((await his('run', '-d', '--mount', dir, 'his', '--', 'sh', '-c', 'echo said')).stderr).toBe('');
  await eventually(async () => (await his('logs', '--mount', dir, 'his')).stdout === 'said', 'it has said it');
});

test('of a tree in its usual place nothing is noted', async () => {
  expect((await nsdir(['umount', '--kill', dir])).status).toBe(0);
  expect((await mountElsewhere()).status).toBe(0);
  expect(existsSync(places())).toBe(false);
  expect(existsSync(instanceFor(dir).runDir)).toBe(true);
});
