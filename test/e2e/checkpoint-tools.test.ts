import { afterAll, beforeAll, expect, it } from 'vitest';
import { counting, criuIsMissing, nothingHeld, wentOn } from '../support/checkpoints.ts';
import { scratch } from '../support/containers.ts';
import { mounted, type Mounted } from '../support/mounted.ts';

const missing = await criuIsMissing();
let tree: Mounted;
let disk: ReturnType<typeof scratch>;
beforeAll(async () => {
  disk = scratch();
  tree = await mounted();
});
afterAll(async () => {
  await tree[Symbol.asyncDispose]();
  disk[Symbol.dispose]();
});

/** Ways to put `web` away in the empty directory $OUT, and to make it again from there. */
const TOOLS: readonly (readonly [name: string, pack: string, unpack: string])[] = [
  ['GNU tar', 'tar cjf $OUT/web.tbz web', 'tar xjf $OUT/web.tbz'],
  ['bsdtar', 'bsdtar cf $OUT/web.tar web', 'bsdtar xpf $OUT/web.tar'],
  ['busybox tar', 'busybox tar cf $OUT/web.tar web && bzip2 $OUT/web.tar', 'busybox tar xjf $OUT/web.tar.bz2'],
  ['rsync', 'rsync -a web $OUT/', 'rsync -a $OUT/web .'],
  ['cp', 'cp -a web $OUT/', 'cp -a $OUT/web .'],
  ['busybox cp', 'busybox cp -a web $OUT/', 'busybox cp -a $OUT/web .'],
  [
    'cpio after a touch',
    'touch web/.checkpoint && find web -depth | cpio --quiet -o -H newc > $OUT/web.cpio',
    'cpio --quiet -idm < $OUT/web.cpio',
  ],
  [
    'Python after a touch',
    `touch web/.checkpoint && python3 -c "
import os, tarfile
with tarfile.open(os.environ['OUT'] + '/web.tar', 'w') as archive: archive.add('web')"`,
    `python3 -c "
import os, tarfile
with tarfile.open(os.environ['OUT'] + '/web.tar') as archive: archive.extractall('.')"`,
  ],
];

it.for(TOOLS)('is saved and goes on with %s, without a warning', async ([name, pack, unpack], { skip }) => {
  skip(missing !== undefined, missing);
  const out = disk.at(name.replaceAll(' ', '-'));
  const counter = await counting(tree, 'web', disk.at(`count-${name.replaceAll(' ', '-')}`));
  const packed = await tree.sh(`mkdir $OUT && ${pack}`, { env: { OUT: out } });
  expect(packed).toEqual({ status: 0, stdout: '', stderr: '' });

  await tree.ok('rm -rf web');
  const before = counter.last();
  const unpacked = await tree.sh(unpack, { env: { OUT: out } });
  expect(unpacked).toEqual({ status: 0, stdout: '', stderr: '' });
  expect(await tree.ok('cat web/.state')).toBe('running');

  await counter.beyond(before);
  wentOn(counter.numbers(), 1);
  await tree.ok('rm -rf web');
  await nothingHeld(tree);
});
