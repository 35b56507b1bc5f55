import { readdirSync, readlinkSync } from 'node:fs';
import { expect, it } from 'vitest';
import { initOf, okInside } from '../support/containers.ts';
import { mounted } from '../support/mounted.ts';

const descriptors = (pid: number) => readdirSync(`/proc/${pid}/fd`).map((fd) => readlinkSync(`/proc/${pid}/fd/${fd}`));

it('gives init no descriptor of the host: /dev/null, its socket and its signalfd are all', async () => {
  await using tree = await mounted();
  await tree.ok('mkdir web web/job && echo running > web/.state && echo running > web/job/.state');
  for (const name of ['web', 'web/job']) {
    const found = descriptors(await initOf(tree, name)).map((target) => target.replace(/\d+/, 'N'));
    expect(found.sort(), name).toEqual(['/dev/null', '/dev/null', '/dev/null', 'anon_inode:[signalfd]', 'socket:[N]']);
  }
});

it('holds no descriptor more after a command has run', async () => {
  await using tree = await mounted();
  await tree.ok('mkdir web && echo running > web/.state');
  const init = await initOf(tree, 'web');
  const before = descriptors(init);
  for (let round = 0; round < 5; round++) await okInside(tree, 'web', 'true');
  expect(descriptors(init)).toEqual(before);
});

it('gives a command standard input, output and error, and nothing else', async () => {
  await using tree = await mounted();
  expect(await okInside(tree, 'web', 'exec 9>/dev/null; ls /proc/$$/fd')).toBe('0\n1\n2\n9');
});
