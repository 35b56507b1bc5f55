import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import {
  counting,
  eachWithDisk,
  hangingOn,
  locksIn,
  mountedWithCriu,
  nothingHeld,
  type Scratch,
} from '../support/checkpoints.ts';
import { initOf, procsOf } from '../support/containers.ts';
import { eventually, type Mounted } from '../support/mounted.ts';
import { pinned, signal } from '../support/pinned.ts';

let disk: Scratch;
eachWithDisk((directory) => (disk = directory));

/** A counter's container in the middle of its dump, CRIU's code in the counter and the network locked; its archiver waits. */
async function halfSaved(tree: Mounted) {
  await tree.ok('mkdir web; echo "running +net" > web/.state');
  const counter = await counting(tree, 'web', disk.at('count'));
  const init = await initOf(tree, 'web');
  const saving = tree.sh(`tar cf ${disk.at('web.tar')} web`);
  const isIn = (pid: number) => pid !== init && readFileSync(`/proc/${pid}/maps`, 'utf8').includes('memfd:CRIUMFD');
  await eventually(async () => (await procsOf(tree, 'web')).some(isIn), 'CRIU’s code is in the counter');
  expect(await locksIn(tree, init)).not.toEqual([]);
  const tracer = Number(/^TracerPid:\s*(\d+)/m.exec(readFileSync(`/proc/${init}/status`, 'utf8'))?.[1]);
  return { counter, saving, criu: pinned(tracer) };
}

const script = `[ $1 = dump ] || exec $CRIU "$@"; ${hangingOn('core-2.img')}`;

it('lets a container go on, with its network, when somebody kills the CRIU that saves it', async () => {
  await using tree = await mountedWithCriu(disk.at('criu'), script);
  const { counter, saving, criu } = await halfSaved(tree);
  signal(criu, 'SIGKILL');
  expect((await saving).status).not.toBe(0);
  expect(await tree.ok('cat web/.error')).toMatch(/^EIO: Cannot checkpoint "web": criu: /);
  await counter.beyond(counter.last() + 3);
  expect(await locksIn(tree, await initOf(tree, 'web'))).toEqual([]);
  await nothingHeld(tree);
});

it('lets it go on likewise when the daemon was killed before', async () => {
  await using tree = await mountedWithCriu(disk.at('criu'), script);
  const { counter, saving, criu } = await halfSaved(tree);
  signal(tree.daemon(), 'SIGKILL');
  signal(criu, 'SIGKILL');
  await saving;
  await counter.beyond(counter.last() + 3);
  expect(await tree.ok('cat web/.state')).toBe('running');
  expect(await locksIn(tree, await initOf(tree, 'web'))).toEqual([]);
  await nothingHeld(tree);
});
