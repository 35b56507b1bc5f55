import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, it } from 'vitest';
import { scratch } from '../support/containers.ts';
import { discovering, shown } from '../support/found.ts';
import { eventually, isAlive } from '../support/mounted.ts';

const NOBODY = 65_534;

it('shows the sandbox of Chromium: that of its zygote, and in it one of each renderer', async ({ skip }) => {
  using home = scratch();
  chownSync(home.dir, NOBODY, NOBODY);
  await using tree = await discovering();
  const data = home.at('data');
  const options = [
    '--headless',
    '--disable-gpu',
    '--no-first-run',
    `--user-data-dir=${data}`,
    '--remote-debugging-port=0',
  ];
  const child = spawn('chromium', [...options, 'about:blank'], {
    cwd: home.dir,
    env: { ...process.env, HOME: home.dir },
    uid: NOBODY,
    gid: NOBODY,
    stdio: ['ignore', 'ignore', 'pipe'],
    detached: true,
  });
  let complaint = '';
  child.stderr.on('data', (text: Buffer) => (complaint += text.toString()));
  const ended = Promise.race([
    once(child, 'exit'),
    once(child, 'error').then(([error]) => (complaint += String(error))),
  ]);
  try {
    const started = eventually(() => processOf(data, 'renderer') !== undefined, 'it runs').then(() => 'started');
    if ((await Promise.race([started, ended])) !== 'started') {
      skip(`chromium does not run here: ${complaint.trim().split('\n').at(-1) ?? ''}`);
    }
    const renderer = processOf(data, 'renderer')!;
    const at = await shown(tree, renderer);
    const sandbox = path.dirname(at);
    expect(at).toMatch(/^unnamed\d+\/unnamed\d+$/);
    const rows = (file: string) => tree.ok(`cut -d ' ' -f 1,2 ${file}/.nsproxy`).then((text) => text.split('\n'));
    const [machines, its, own] = [await rows('.'), await rows(sandbox), await rows(at)];
    const kinds = (one: string[], other: string[]) =>
      one.filter((row) => !other.includes(row)).map((row) => row.split(' ')[0]);
    expect([kinds(its, machines), kinds(own, its)]).toEqual([['net', 'pid', 'user'], ['pid']]);
    expect(await tree.ok(`stat -c %u ${sandbox}`)).toBe(String(NOBODY));
    await tree.ok(`rm -rf ${sandbox}`);
    await eventually(() => !isAlive(renderer), 'the renderer is dead');
  } finally {
    // eslint-disable-next-line no-restricted-properties -- the number of a group is not given again while anybody is in it
    if (child.pid !== undefined && child.exitCode === null) process.kill(-child.pid, 'SIGKILL');
    await ended;
  }
});

/** A process of the browser whose data is there, of this type. */
function processOf(data: string, type: string): number | undefined {
  const found = readdirSync('/proc').find((name) => {
    if (!/^\d+$/.test(name)) return false;
    try {
      const words = readFileSync(`/proc/${name}/cmdline`, 'utf8').split(/[\0 ]/);
      return words.includes(`--type=${type}`) && words.some((word) => word.includes(data));
    } catch {
      return false;
    }
  });
  return found === undefined ? undefined : Number(found);
}
