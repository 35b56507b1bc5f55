import { readFileSync, writeFileSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { runFiles } from '../../src/instance.ts';
import { consistent } from '../support/consistency.ts';
import { nothingLeft } from '../support/containers.ts';
import { withoutDaemon } from '../support/daemon-deaths.ts';
import { isAlive, mounted, type Mounted } from '../support/mounted.ts';

let tree: Mounted;
beforeAll(async () => {
  tree = await mounted();
});
afterEach(async () => {
  await tree.ok('rm -rf $(ls)');
  expect(await tree.ok('ls')).toBe('');
  await nothingLeft(tree);
});
afterAll(() => tree[Symbol.asyncDispose]());

/** Lets the next daemon find another journal. */
async function withJournal(change: (bytes: Buffer) => Buffer): Promise<void> {
  const { journal } = runFiles(tree.instance);
  await withoutDaemon(tree, () => {
    writeFileSync(journal, change(readFileSync(journal)));
  });
}

/** Pids of the inits, by the container's last name. */
async function inits(): Promise<Map<string, number>> {
  const lines = await tree.ok('find . -mindepth 2 -name .init -printf "%h %l\\n"');
  const found = lines.split('\n').filter(Boolean);
  return new Map(found.map((line) => [line.replace(/^.*\/(\S+) .*$/, '$1'), Number(line.replace(/^.*\//, ''))]));
}

const START = `mkdir -p web/job/inner other plain
  for at in web web/job web/job/inner other; do echo running > $at/.state; done`;

/** Fractions of the file, and bytes from its end. */
test.each([0, 0.2, 0.5, 0.8, -1, -30, -150])(
  'a journal cut at %d: the daemon starts, and every container lives on',
  async (cut) => {
    await tree.ok(START);
    const before = await inits();
    expect(before.size).toBe(4);
    await withJournal((bytes) => bytes.subarray(0, cut < 0 ? bytes.length + cut : Math.floor(bytes.length * cut)));
    const after = await inits();
    expect([...after.values()].sort()).toEqual([...before.values()].sort());
    expect([...after.values()].every(isAlive)).toBe(true);
    for (const [name, pid] of after) expect(before.get(name) === pid || name.startsWith('recovered-')).toBe(true);
    await consistent(tree);
  },
);

test('a container whose making was lost is a child of the same one still, and is not shown by its old name', async () => {
  await tree.ok(START);
  await tree.ok('ls -R; cat web/job/.state');
  const before = await inits();
  await withJournal((bytes) => {
    const lines = bytes.toString().split('\n');
    return Buffer.from(
      lines
        .slice(
          0,
          lines.findLastIndex((line) => line.includes('"name":"job"')),
        )
        .join('\n') + '\n',
    );
  });
  const lost = (await tree.ok('ls web')).split('\n');
  expect(lost).toEqual([expect.stringMatching(/^recovered-\d+$/)]);
  expect((await inits()).get(lost[0] ?? '')).toBe(before.get('job'));
  expect((await tree.sh('cat web/job/.state')).stderr).toContain('No such file or directory');
  await consistent(tree);
  await tree.ok('mv web/recovered-* web/job; cat web/job/.state');
});

test.each(['00000000\n', '00000000 \n', 'garbage\n', '\0'.repeat(4096), '\xff\xfe\n{}\n', '{"changes":null}\n'])(
  'garbage in the middle, %j: what is before it counts and nothing behind, the daemon starts',
  async (garbage) => {
    await tree.ok(START);
    const before = await inits();
    await withJournal((bytes) => {
      const middle = bytes.indexOf('\n', bytes.lastIndexOf('"name":"job"')) + 1;
      return Buffer.concat([bytes.subarray(0, middle), Buffer.from(garbage, 'latin1'), bytes.subarray(middle)]);
    });
    const after = await inits();
    expect([...after.values()].sort()).toEqual([...before.values()].sort());
    const byName = new Map([...after].filter(([name]) => !name.startsWith('recovered-')));
    expect(byName).toEqual(new Map(['web', 'job'].map((name) => [name, before.get(name)])));
    await consistent(tree);
  },
);
