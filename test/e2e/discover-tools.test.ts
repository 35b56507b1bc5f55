import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { execa } from 'execa';
import { describe, expect, it } from 'vitest';
import { discovering, numberOf, shown, vanished } from '../support/found.ts';
import { eventually, isAlive } from '../support/mounted.ts';
import { RUNTIMES, workshop } from '../support/runtimes.ts';
import { pinned, signal } from '../support/pinned.ts';

describe('a container that another tool makes is a directory by itself', () => {
  it.for(RUNTIMES)('$tool', async ({ tool, command, called, cleanUp }, { skip }) => {
    using place = workshop();
    await using tree = await discovering();
    const index = RUNTIMES.findIndex((row) => row.tool === tool);
    const name = `nsdirt${process.pid}x${index}`;
    const seconds = 1_000_000 + process.pid * 10 + index;
    const child = spawn('sh', ['-c', command(name, seconds)], { cwd: place.dir, stdio: ['ignore', 'ignore', 'pipe'] });
    let complaint = '';
    child.stderr.on('data', (data: Buffer) => (complaint += data.toString()));
    try {
      const ended = once(child, 'exit');
      const started = eventually(() => sleeper(seconds) !== undefined, 'it runs').then(() => 'started');
      if ((await Promise.race([started, ended])) !== 'started') {
        skip(`${tool} does not run here: ${complaint.trim().split('\n').at(-1) ?? ''}`);
      }
      const pid = sleeper(seconds)!;
      const at = await shown(tree, pid);
      expect(path.basename(at)).toMatch(called(name));
      expect(await tree.ok(`cat ${at}/.state`)).toBe('running');
      const number = await numberOf(tree, at);
      await tree.ok(`rm -rf ${at}`);
      await eventually(() => !isAlive(pid), 'it is dead');
      await vanished(tree, number);
    } finally {
      child.kill('SIGKILL');
      const pid = sleeper(seconds);
      if (pid !== undefined) signal(pinned(pid), 'SIGKILL');
      if (cleanUp) await execa('sh', ['-c', cleanUp(name)], { cwd: place.dir, reject: false, timeout: 10_000 });
    }
  });
});

/** The process whose command is to sleep for so long. */
function sleeper(seconds: number): number | undefined {
  const found = readdirSync('/proc').find((name) => {
    if (!/^\d+$/.test(name) || !existsSync(`/proc/${name}/cmdline`)) return false;
    try {
      return (
        /^(\/bin\/)?sleep$/.test(words(name).at(-2) ?? '') &&
        words(name).length === 2 &&
        words(name)[1] === String(seconds)
      );
    } catch {
      return false;
    }
  });
  return found === undefined ? undefined : Number(found);
}

function words(pid: string): string[] {
  return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').slice(0, -1);
}
