import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { beforeEach, describe, expect, it } from 'vitest';
import { counting, eachWithDisk, nothingHeld, type Counting, type Scratch } from '../support/checkpoints.ts';
import { detached, processesOf } from '../support/containers.ts';
import { eventually, mounted, type Mounted } from '../support/mounted.ts';

let disk: Scratch;
eachWithDisk((directory) => (disk = directory));

/** More than one piece of an image, each of which has a hash. */
const HELD_BYTES = 40 << 20;
const HOLD = `import os, sys, time; held = os.urandom(${HELD_BYTES}); open(sys.argv[1], 'w').close(); time.sleep(1000)`;

/** The kernel writes images to the disk by itself, or it cannot, and the daemon does. */
const WAYS: readonly (readonly [how: string, options: readonly string[]])[] = [
  ['by the kernel', []],
  ['by the daemon', ['--no-resend']],
];

describe.for(WAYS)('images that are written %s', ([, options]) => {
  let tree: Mounted;
  let counter: Counting;
  /** A container that was saved, and its largest image. */
  let saved: string;
  let image: string;
  beforeEach(async () => {
    tree = await mounted('--trace', disk.at('trace'), ...options);
    saved = disk.at('saved');
    counter = await counting(tree, 'web', disk.at('count'));
    await detached(tree, 'web', ['python3', '-c', HOLD, disk.at('holds')]);
    await eventually(() => existsSync(disk.at('holds')), 'it holds memory');
    await tree.ok(`cp -a web ${saved} && rm -rf web`);
    const images = readdirSync(`${saved}/.checkpoint`);
    const sizeOf = (name: string) => statSync(`${saved}/.checkpoint/${name}`).size;
    image = images.reduce((largest, name) => (sizeOf(name) > sizeOf(largest) ? name : largest));
    expect(sizeOf(image)).toBeGreaterThan(HELD_BYTES);
    return async () => {
      await tree[Symbol.asyncDispose]();
    };
  });

  /** All but the image: it is the last to arrive. */
  const others = () => `set -e; mkdir -p web/.checkpoint; cp -a ${saved}/.state web/
    for file in $(ls ${saved}/.checkpoint); do
      [ $file = ${image} ] || cp -a ${saved}/.checkpoint/$file web/.checkpoint/
    done`;

  const goesOn = async () => {
    expect(await tree.ok('cat web/.state')).toBe('running');
    await counter.beyond(counter.last());
  };

  const isRefused = async () => {
    expect(await tree.ok('cat web/.error')).toBe(
      `EIO: Cannot restore "web": ${image} is not what was saved: its sha256 differs`,
    );
    expect(processesOf(tree)).toEqual([]);
  };

  /** Writes to the image in an order of its own: the second half, then the first. */
  const inHalves = (from: string) =>
    tree.sh(`python3 -c "
import os, sys
whole = open(sys.argv[1], 'rb').read()
half = len(whole) // 2
fd = os.open(sys.argv[2], os.O_WRONLY | os.O_CREAT)
os.pwrite(fd, whole[half:], half)
os.pwrite(fd, whole[:half], 0)
os.close(fd)" ${from} web/.checkpoint/${image}`);

  /** A copy of the image with another byte near its end. */
  const altered = () => {
    const bytes = readFileSync(`${saved}/.checkpoint/${image}`);
    bytes[bytes.length - 5000] = (bytes.at(-5000) ?? 0) ^ 1;
    writeFileSync(disk.at('altered'), bytes);
    return disk.at('altered');
  };

  it('restore in whatever order they were written, and are looked at all the same', async () => {
    await tree.ok(others());
    expect((await inHalves(altered())).status).not.toBe(0);
    await isRefused();
    expect((await inHalves(`${saved}/.checkpoint/${image}`)).status).toBe(0);
    await goesOn();
  });

  it('count as they are in the end, when one is written over after it was closed', async () => {
    await tree.ok(`mkdir -p web/.checkpoint; cp ${saved}/.checkpoint/${image} web/.checkpoint/`);
    await tree.ok(`cp ${altered()} web/.checkpoint/${image}`);
    const { status } = await tree.sh(others());
    expect(status).not.toBe(0);
    await isRefused();
  });

  it('are emptied when a shell opens one anew, and restore when the last of its descriptors is closed', async () => {
    await tree.ok(
      `mkdir -p web/.checkpoint; (cat ${saved}/.checkpoint/${image}; echo more) > web/.checkpoint/${image}`,
    );
    await tree.ok(others());
    expect(await tree.ok('ls web')).toBe('');
    await tree.ok(`cat ${saved}/.checkpoint/${image} > web/.checkpoint/${image}`);
    await goesOn();
  });

  it('are another file when one was removed while somebody had it open', async () => {
    await tree.ok(others());
    await tree.ok(`exec 3> web/.checkpoint/${image}; rm web/.checkpoint/${image}
      cp ${saved}/.checkpoint/${image} web/.checkpoint/; head -c 10000 /dev/zero >&3 || true`);
    await goesOn();
  });

  it('go through the daemon byte for byte only where the kernel cannot', async () => {
    await tree.ok(`cp -a ${saved} web`);
    await goesOn();
    const written = [...readFileSync(disk.at('trace'), 'utf8').matchAll(/^rx \d+: WRITE .* \d+\+(\d+)$/gm)];
    const bytes = written.reduce((sum, [, length]) => sum + Number(length), 0);
    if (options.length === 0) expect(bytes).toBeLessThan(1 << 20);
    else expect(bytes).toBeGreaterThan(HELD_BYTES);
  });

  it('leave nothing when the daemon is killed while one is written', async () => {
    await tree.ok(others());
    const writer = tree.sh(
      `(head -c 20000000; sleep 1; cat) < ${saved}/.checkpoint/${image} > web/.checkpoint/${image}`,
    );
    await eventually(
      async () => (await tree.ok(`stat -c %s web/.checkpoint/${image}`)) === '20000000',
      'half is there',
    );
    await tree.killDaemon();
    await writer;
    expect(await tree.ok('cat web/.state 2>/dev/null || echo none')).toBe('none');
    expect(processesOf(tree)).toEqual([]);
    // Who begins anew gets it.
    await tree.ok(`cp ${saved}/.checkpoint/${image} web/.checkpoint/${image}`);
    await goesOn();
    await tree.ok('rm -rf web');
    await nothingHeld(tree);
  });
});

it('restores what an older version saved, with one hash for each image', async () => {
  await using tree = await mounted();
  const counter = await counting(tree, 'web', disk.at('count'));
  await detached(tree, 'web', ['python3', '-c', HOLD, disk.at('holds')]);
  await eventually(() => existsSync(disk.at('holds')), 'it holds memory');
  await tree.ok(`cp -a web ${disk.at('saved')} && rm -rf web`);
  const directory = disk.at('saved/.checkpoint');
  const manifest = JSON.parse(readFileSync(`${directory}/manifest.json`, 'utf8')) as Record<string, unknown>;
  const images = (manifest['images'] as { name: string; size: number }[]).map(({ name, size }) => {
    const hash = createHash('sha256').update(readFileSync(`${directory}/${name}`));
    return { name, size, sha256: hash.digest('hex') };
  });
  delete manifest['pieceBytes'];
  writeFileSync(`${directory}/manifest.json`, JSON.stringify({ ...manifest, format: 1, images }));
  await tree.ok(`cp -a ${disk.at('saved')} web`);
  await counter.beyond(counter.last());
});
