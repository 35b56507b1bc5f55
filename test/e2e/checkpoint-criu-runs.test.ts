import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { counting, eachWithDisk, mountedWithCriu, type Scratch } from '../support/checkpoints.ts';
import type { Mounted } from '../support/mounted.ts';

let disk: Scratch;
eachWithDisk((directory) => (disk = directory));

/** A tree whose criu notes each of its runs, but those for its version, and whether it knows the kernel already. */
async function noting(): Promise<Mounted & { runs(): string[] }> {
  const note = `[ "$1" = --version ] || echo "$1$([ ! -s /run/criu.kdat ] || echo ' knows')" >> ${disk.at('runs')}`;
  const tree = await mountedWithCriu(disk.at('criu'), `${note}\nexec $CRIU "$@"`);
  return { ...tree, runs: () => readFileSync(disk.at('runs'), 'utf8').trim().split('\n') };
}

it('criu finds out about the machine once, and saves and restores with what it knows', async () => {
  await using tree = await noting();
  const counter = await counting(tree, 'web', disk.at('count'));
  await tree.ok('touch web/.checkpoint; rm -r web/.checkpoint');
  await tree.ok(`cp -a web ${disk.at('saved')} && rm -rf web && cp -a ${disk.at('saved')} web`);
  await counter.beyond(counter.last());
  expect(tree.runs()).toEqual(['cpuinfo', 'dump knows', 'dump knows', 'restore knows']);
});

it('criu compares the cpu where it is not said to be the same one', async () => {
  await using tree = await noting();
  await counting(tree, 'web', disk.at('count'));
  await tree.ok(`cp -a web ${disk.at('saved')} && rm -rf web`);
  // An image that is none, with hash and size as they should be.
  const image = Buffer.from('no image of criu');
  const manifest = readFileSync(disk.at('saved/.checkpoint/manifest.json'), 'utf8');
  const parsed = JSON.parse(manifest) as { images: { name: string; size: number; sha256: string[] }[] };
  for (const row of parsed.images.filter(({ name }) => name === 'cpuinfo.img')) {
    row.size = image.length;
    row.sha256 = [createHash('sha256').update(image).digest('hex')];
  }
  writeFileSync(disk.at('saved/.checkpoint/cpuinfo.img'), image);
  writeFileSync(disk.at('saved/.checkpoint/manifest.json'), JSON.stringify(parsed));
  expect((await tree.sh(`cp -a ${disk.at('saved')} web`)).status).not.toBe(0);
  expect(await tree.ok('cat web/.error')).toMatch(/^EIO: Cannot restore "web": this machine’s cpu is not like that/);
  expect(tree.runs()).toEqual(['cpuinfo', 'dump knows', 'cpuinfo knows']);
});
