import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  describeImages,
  encodeManifest,
  isImageName,
  MANIFEST_LIMIT_BYTES,
  parseManifest,
  verifyImages,
  type Manifest,
} from '../../../src/checkpoint/manifest.ts';

const GOOD: Omit<Manifest, 'format'> = {
  name: 'web',
  serial: 7,
  made: '2026-01-01T00:00:00.000Z',
  criu: '4.2.1',
  kernel: '6.18.0',
  arch: 'x64',
  kinds: ['mnt', 'pid'],
  nested: false,
  program: '0123456789abcdef',
  mountPoint: '/namespaces',
  output: '/var/lib/nsdir/namespaces/7.log',
  mounts: ['/srv'],
  images: [{ name: 'files.img', size: 3, sha256: 'a'.repeat(64) }],
};

const BUNDLE = { path: '/srv/web', root: '/srv/web/rootfs', sources: ['/srv'], files: ['file[1b:2123f9]'] };

const VETH = {
  ...{ inside: 'eth0', outside: 'veth-1.2', mtu: 1500, address: '02:00:00:00:00:01', up: true },
  addresses: ['10.0.0.1/24', 'fd00::1/64'],
};

describe('parseManifest', () => {
  test('reads what encodeManifest writes', () => {
    expect(parseManifest(encodeManifest(GOOD))).toEqual({ format: 1, ...GOOD });
  });

  test('reads that of a bundle, which has no program of ours, and that of one with interfaces', () => {
    const connected = { ...GOOD, veths: [VETH, { ...VETH, bridge: 'br0' }] };
    expect(parseManifest(encodeManifest(connected))).toEqual({ format: 1, ...connected });
    const bundled = { ...GOOD, program: '', bundle: BUNDLE };
    expect(parseManifest(encodeManifest(bundled))).toEqual({ format: 1, ...bundled });
  });

  test.each<[string, object]>([
    ['a bundle that leads up', { bundle: { ...BUNDLE, root: '/srv/../etc' } }],
    ['more sources than mounts', { bundle: { ...BUNDLE, sources: ['/srv', '/usr'] } }],
    ['an interface that is an option', { veths: [{ ...VETH, outside: '-batch' }] }],
    ['an interface that leads elsewhere', { veths: [{ ...VETH, inside: 'eth0]:x' }] }],
    ['a bridge that is none', { veths: [{ ...VETH, bridge: 'a b' }] }],
    ['an address that is none', { veths: [{ ...VETH, addresses: ['10.0.0.1'] }] }],
    ['a file that is no file', { bundle: { ...BUNDLE, files: ['pipe[1]'] } }],
    ['a bundle that is none', { bundle: 7 }],
    ['another format', { format: 2 }],
    ['a kind there is not', { kinds: ['foo'] }],
    ['a name of two lines', { output: '/a\n--external' }],
    ['a relative mount', { mounts: ['srv'] }],
    ['a mount that leads up', { mounts: ['/srv/../etc'] }],
    ['an image that leads up', { images: [{ name: '../files.img', size: 3, sha256: 'a'.repeat(64) }] }],
    ['a hidden image', { images: [{ name: '.img', size: 3, sha256: 'a'.repeat(64) }] }],
    ['the manifest as an image', { images: [{ name: 'manifest.json', size: 3, sha256: 'a'.repeat(64) }] }],
    ['a size below zero', { images: [{ name: 'files.img', size: -1, sha256: 'a'.repeat(64) }] }],
    ['no hash', { images: [{ name: 'files.img', size: 3, sha256: 'x' }] }],
    ['an image twice', { images: [...GOOD.images, ...GOOD.images] }],
    ['a program that is no hash', { program: '../../bin/sh12345' }],
  ])('refuses %s', (_, change) => {
    const text = JSON.stringify({ format: 1, ...GOOD, ...change });
    expect(() => parseManifest(text)).toThrow(expect.objectContaining({ errno: 'EINVAL' }));
  });

  test.each(['', 'null', '7', '[]', '{', 'x'.repeat(MANIFEST_LIMIT_BYTES + 1)])(
    'refuses what is no manifest',
    (text) => {
      expect(() => parseManifest(text)).toThrow(expect.objectContaining({ errno: 'EINVAL' }));
    },
  );
});

test.each([
  ['core-1.img', true],
  ['tmpfs-dev-45.tar.gz.img', true],
  ['manifest.json', false],
  ['.hidden', false],
  ['a/b', false],
  ['..', false],
  ['a b', false],
  ['x'.repeat(200), false],
])('isImageName: %s %s', (name, is) => {
  expect(isImageName(name)).toBe(is);
});

describe('verifyImages', () => {
  let directory: string;
  beforeEach(() => {
    directory = mkdtempSync(path.join(tmpdir(), 'nsdir-unit-'));
    writeFileSync(path.join(directory, 'a.img'), 'one');
    writeFileSync(path.join(directory, 'b.img'), 'two');
  });
  afterEach(() => {
    rmSync(directory, { recursive: true });
  });

  test('is content with what describeImages has seen', async () => {
    const images = await describeImages(directory);
    expect(images.map(({ name, size }) => [name, size])).toEqual([
      ['a.img', 3],
      ['b.img', 3],
    ]);
    await expect(verifyImages(directory, images)).resolves.toBeUndefined();
  });

  test('names what was altered, cut off, or is missing', async () => {
    const images = await describeImages(directory);
    const refusal = async () => String(await verifyImages(directory, images).catch((error: unknown) => error));
    writeFileSync(path.join(directory, 'b.img'), 'twO');
    expect(await refusal()).toContain('b.img is not what was saved');
    writeFileSync(path.join(directory, 'b.img'), 'tw');
    expect(await refusal()).toContain('b.img has 2 bytes, not 3');
    rmSync(path.join(directory, 'a.img'));
    expect(await refusal()).toContain('a.img is missing');
  });
});
