import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { flatKeys, Reader } from '../../../src/cli/tree/reading.ts';
import { Slots } from '../../../src/cli/tree/slots.ts';

// The reader is a plain client of files, so plain files stand for the tree.
describe('Reader', () => {
  let root = '';

  beforeAll(() => {
    root = mkdtempSync(path.join(tmpdir(), 'nsdir-reading-'));
    const web = path.join(root, 'web');
    mkdirSync(path.join(web, 'job'), { recursive: true });
    mkdirSync(path.join(web, '.ns'));
    writeFileSync(path.join(web, '.state'), 'running\n');
    writeFileSync(path.join(web, '.procs'), '11\n12\n');
    writeFileSync(path.join(web, '.stat'), 'cpu.usage_usec 250\nmemory.source proc\nmemory.current 4096\n');
    symlinkSync('/proc/11', path.join(web, '.init'));
  });

  afterAll(() => {
    rmSync(root, { recursive: true });
  });

  test('reads what control entries say, and takes only containers for children', async () => {
    expect(await new Reader().read(root, 'r')).toEqual({
      name: 'r',
      children: [
        {
          name: 'web',
          state: 'running',
          init: 11,
          processes: 2,
          cpuUsec: 250,
          memoryBytes: 4096,
          children: [{ name: 'job', children: [] }],
        },
      ],
    });
  });

  test('takes one with an init for running, though its .state is hidden', async () => {
    const web = path.join(root, 'hidden/web');
    mkdirSync(web, { recursive: true });
    symlinkSync('/proc/21', path.join(web, '.init'));
    expect(await new Reader().read(path.join(root, 'hidden'), 'r')).toMatchObject({
      children: [{ name: 'web', state: 'running', init: 21 }],
    });
    rmSync(path.join(root, 'hidden'), { recursive: true });
  });

  test('leaves out what is gone', async () => {
    expect(await new Reader().read(path.join(root, 'gone'))).toBeUndefined();
  });
});

describe('flatKeys', () => {
  test('takes whole numbers only', () => {
    expect([...flatKeys('a 1\nb x\nc\nd -1\n\ne 20 \n')]).toEqual([
      ['a', 1],
      ['e', 20],
    ]);
  });
});

describe('Slots', () => {
  test('never lets more run than there are, and lets all run', async () => {
    const slots = new Slots(3);
    let running = 0;
    let most = 0;
    const done = await Promise.all(
      Array.from({ length: 50 }, (_, index) =>
        slots.use(async () => {
          most = Math.max(most, (running += 1));
          await new Promise((resolve) => setImmediate(resolve));
          running -= 1;
          return index;
        }),
      ),
    );
    expect(most).toBe(3);
    expect(done).toHaveLength(50);
  });

  test('gives the slot of a failed action on', async () => {
    const slots = new Slots(1);
    await expect(slots.use(() => Promise.reject(new Error('no')))).rejects.toThrow('no');
    expect(await slots.use(() => Promise.resolve(1))).toBe(1);
  });
});
