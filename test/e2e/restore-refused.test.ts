import { truncateSync, writeFileSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { MANIFEST_LIMIT_BYTES } from '../../src/checkpoint/manifest.ts';
import { counting, eachWithTree, nothingHeld, type Scratch } from '../support/checkpoints.ts';
import { processesOf } from '../support/containers.ts';
import type { Mounted } from '../support/mounted.ts';

let tree: Mounted;
let disk: Scratch;
/** A container that was saved, below. */
let saved: string;
eachWithTree(async (mount, directory) => {
  [tree, disk] = [mount, directory];
  saved = disk.at('saved');
  await counting(tree, 'web', disk.at('count'));
  await tree.ok(`cp -a web ${saved} && rm -rf web`);
});

/** `cp -a` of what was saved fails at a close; `.error` says why, nothing has started, and rm -rf removes what arrived. */
async function isRefused(why: RegExp, copy = `cp -a ${saved} web`): Promise<void> {
  const { status } = await tree.sh(copy);
  expect(status).not.toBe(0);
  expect(await tree.ok('cat web/.error')).toMatch(why);
  expect(processesOf(tree)).toEqual([]);
  await tree.ok('rm -rf web');
  await nothingHeld(tree);
}

describe('images are refused, and nothing starts, where', () => {
  it('one is cut off', async () => {
    truncateSync(`${saved}/.checkpoint/pages-1.img`, 4096);
    const { status } = await tree.sh(`cp -a ${saved} web`);
    // The copy is what it copies; it never comes to a whole set.
    expect(status).toBe(0);
    expect(await tree.ok('ls web')).toBe('');
    const { stderr } = await tree.sh('echo running > web/.state');
    expect(stderr).not.toBe('');
    expect(await tree.ok('cat web/.error')).toMatch(/pages-1\.img has 4096 bytes of \d+/);
    expect(processesOf(tree)).toEqual([]);
  });

  it('one is altered', async () => {
    const file = `${saved}/.checkpoint/pages-1.img`;
    const bytes = readFileSync(file);
    bytes[100] = (bytes[100] ?? 0) ^ 1;
    writeFileSync(file, bytes);
    await isRefused(/^EIO: Cannot restore "web": pages-1\.img is not what was saved: its sha256 differs$/);
  });

  it('the manifest is of another version, no JSON, or leads out of the directory', async () => {
    const file = `${saved}/.checkpoint/manifest.json`;
    const text = readFileSync(file, 'utf8');
    for (const [changed, why] of [
      [text.replace('"format": 2', '"format": 3'), /its format is 3, and not one of those up to 2/],
      [text.slice(0, 100), /it is no JSON/],
      [text.replace('"name": "files.img"', '"name": "../files.img"'), /"images" is not what it should be/],
    ] as const) {
      writeFileSync(file, changed);
      await isRefused(why);
    }
  });

  it('the manifest is huge', async () => {
    writeFileSync(`${saved}/.checkpoint/manifest.json`, Buffer.alloc(MANIFEST_LIMIT_BYTES + 1, ' '));
    const { status, stderr } = await tree.sh(`cp -a ${saved} web`);
    expect(status).not.toBe(0);
    expect(stderr).toContain('File too large');
  });

  it('it was saved on another kind of machine, or a newer kernel', async () => {
    const file = `${saved}/.checkpoint/manifest.json`;
    const text = readFileSync(file, 'utf8');
    writeFileSync(file, text.replace(/"arch": "[^"]+"/, '"arch": "vax"'));
    await isRefused(/it was saved on vax/);
    writeFileSync(file, text.replace(/"kernel": "[^"]+"/, '"kernel": "99.1.0"'));
    await isRefused(/it was saved on Linux 99\.1\.0/);
  });

  it('it is not root who unpacks', async () => {
    await tree.ok(`chmod 1777 . && chmod -R a+rX ${disk.dir} ${saved}`);
    const { status, stderr } = await tree.as(65534, `cp -r ${saved} web`);
    expect(status).not.toBe(0);
    expect(stderr).toContain('Permission denied');
    expect(await tree.ok('ls -A web/.checkpoint')).toBe('');
    expect(processesOf(tree)).toEqual([]);
  });

  it('the container runs', async () => {
    await tree.nsdir('run', '-d', 'web', '--', 'sleep', '1000');
    const { status } = await tree.sh(`cp -a ${saved}/.checkpoint web/`);
    expect(status).not.toBe(0);
    expect(await tree.ok('cat web/.error')).toMatch(/^EBUSY: Cannot restore here: it is running/);
    expect(await tree.ok('wc -l < web/.procs')).toBe('2');
  });

  it('the container ran before', async () => {
    await tree.ok('mkdir web; echo running > web/.state; echo stopped > web/.state');
    const { status, stderr } = await tree.sh(`tar cf - -C ${disk.dir} saved | tar xf - --strip-components=1 -C web`);
    expect(status).not.toBe(0);
    expect(stderr).toContain('Device or resource busy');
    expect(await tree.ok('cat web/.error')).toMatch(/^EBUSY: Cannot restore here: it is stopped/);
    expect(processesOf(tree)).toEqual([]);
  });
});

it('takes nothing but files with names of images', async () => {
  await tree.ok('mkdir -p web/.checkpoint');
  for (const made of [
    'ln -s /etc/passwd web/.checkpoint/a.img',
    'mkfifo web/.checkpoint/b.img',
    'mknod web/.checkpoint/c.img c 1 3',
    'mkdir web/.checkpoint/d',
    'ln web/.checkpoint/manifest.json web/.checkpoint/e.img',
    'echo x > "web/.checkpoint/f g"',
  ]) {
    expect((await tree.sh(made)).status, made).not.toBe(0);
  }
  expect(await tree.ok('ls -A web/.checkpoint')).toBe('');
  await tree.ok('rm -rf web');
});
