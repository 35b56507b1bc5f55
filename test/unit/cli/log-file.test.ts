import { closeSync, existsSync, openSync, readdirSync, readFileSync, statSync, writeSync } from 'node:fs';
import path from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { startAnew } from '../../../src/cli/log-file.ts';
import type { Log } from '../../../src/log.ts';
import { scratch } from '../../support/scratch.ts';

function logAt(file: string) {
  const warned: unknown[] = [];
  const log = { warn: (_: unknown, message: string) => void warned.push(message) } as unknown as Log;
  const fd = openSync(file, 'a', 0o600);
  return {
    fd,
    log,
    warned,
    say: (text: string) => writeSync(fd, text),
    [Symbol.dispose]: () => {
      closeSync(fd);
    },
  };
}

describe('startAnew', () => {
  test('keeps what was logged, also meanwhile, and goes on in the same file', async () => {
    using dir = scratch();
    const [file, former] = [dir.at('daemon.log'), dir.at('daemon.log.1')];
    using its = logAt(file);
    const long = 'a line\n'.repeat(1_000_000);
    its.say(long);
    const done = startAnew(its.fd, former, its.log);
    while (!(statSync(`${former}.new`, { throwIfNoEntry: false })?.size ?? 0)) await setImmediate();
    its.say('meanwhile\n');
    expect(existsSync(former)).toBe(false);
    await done;
    its.say('later\n');
    expect(readFileSync(former, 'utf8') === `${long}meanwhile\n`).toBe(true);
    expect([readFileSync(file, 'utf8'), its.warned]).toEqual(['later\n', []]);
    expect(statSync(former).mode & 0o777).toBe(0o600);
  });

  test('keeps one, the latest', async () => {
    using dir = scratch();
    using its = logAt(dir.at('daemon.log'));
    for (const line of ['first\n', 'second\n', 'third\n']) {
      its.say(line);
      if (line !== 'third\n') await startAnew(its.fd, dir.at('daemon.log.1'), its.log);
    }
    expect(readFileSync(dir.at('daemon.log.1'), 'utf8')).toBe('second\n');
    expect(readdirSync(path.dirname(dir.at('x')))).toEqual(['daemon.log', 'daemon.log.1']);
  });

  test('starts anew all the same where no copy can be made, and says so', async () => {
    using dir = scratch();
    using its = logAt(dir.at('daemon.log'));
    its.say('a line\n');
    await startAnew(its.fd, dir.at('nonesuch/daemon.log.1'), its.log);
    expect([readFileSync(dir.at('daemon.log'), 'utf8'), its.warned]).toEqual(['', ['cannot keep the former log']]);
  });
});
