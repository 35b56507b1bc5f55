import { describe, expect, test } from 'vitest';
import { PIECE_BYTES } from '../../../src/checkpoint/hashes.ts';
import {
  encodeManifest,
  isImageName,
  MANIFEST_LIMIT_BYTES,
  parseManifest,
  type Manifest,
} from '../../../src/checkpoint/manifest.ts';

const HASH = 'a'.repeat(64);

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
  pieceBytes: PIECE_BYTES,
  images: [{ name: 'files.img', size: 3, sha256: [HASH] }],
};

const BUNDLE = { path: '/srv/web', root: '/srv/web/rootfs', sources: ['/srv'], files: ['file[1b:2123f9]'] };

const VETH = {
  ...{ inside: 'eth0', outside: 'veth-1.2', mtu: 1500, address: '02:00:00:00:00:01', up: true },
  addresses: ['10.0.0.1/24', 'fd00::1/64'],
};

describe('parseManifest', () => {
  test('reads what encodeManifest writes', () => {
    expect(parseManifest(encodeManifest(GOOD))).toEqual({ format: 2, ...GOOD });
  });

  test('reads format 1, which has one hash for each image', () => {
    const images = [{ name: 'pages-1.img', size: 100 * PIECE_BYTES, sha256: HASH }];
    const { images: read, pieceBytes } = parseManifest(JSON.stringify({ ...GOOD, format: 1, pieceBytes: 5, images }));
    expect(read).toEqual([{ ...images[0], sha256: [HASH] }]);
    expect(pieceBytes).toBeGreaterThan(100 * PIECE_BYTES);
  });

  test('reads that of a bundle, which has no program of ours, and that of one with interfaces', () => {
    const connected = { ...GOOD, veths: [VETH, { ...VETH, bridge: 'br0' }] };
    expect(parseManifest(encodeManifest(connected))).toEqual({ format: 2, ...connected });
    const bundled = { ...GOOD, program: '', bundle: BUNDLE };
    expect(parseManifest(encodeManifest(bundled))).toEqual({ format: 2, ...bundled });
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
    ['another format', { format: 3 }],
    ['a kind there is not', { kinds: ['foo'] }],
    ['a name of two lines', { output: '/a\n--external' }],
    ['a relative mount', { mounts: ['srv'] }],
    ['a mount that leads up', { mounts: ['/srv/../etc'] }],
    ['an image that leads up', { images: [{ name: '../files.img', size: 3, sha256: [HASH] }] }],
    ['a hidden image', { images: [{ name: '.img', size: 3, sha256: [HASH] }] }],
    ['the manifest as an image', { images: [{ name: 'manifest.json', size: 3, sha256: [HASH] }] }],
    ['a size below zero', { images: [{ name: 'files.img', size: -1, sha256: [HASH] }] }],
    ['no hash', { images: [{ name: 'files.img', size: 3, sha256: ['x'] }] }],
    ['a hash outside of a list', { images: [{ name: 'files.img', size: 3, sha256: HASH }] }],
    ['a hash too many', { images: [{ name: 'files.img', size: PIECE_BYTES, sha256: [HASH, HASH] }] }],
    ['a hash too few', { images: [{ name: 'files.img', size: PIECE_BYTES + 1, sha256: [HASH] }] }],
    ['pieces of a byte', { pieceBytes: 1, images: [{ name: 'files.img', size: 1, sha256: [HASH] }] }],
    ['pieces of no length', { pieceBytes: undefined }],
    ['an image twice', { images: [...GOOD.images, ...GOOD.images] }],
    ['a program that is no hash', { program: '../../bin/sh12345' }],
  ])('refuses %s', (_, change) => {
    const text = JSON.stringify({ format: 2, ...GOOD, ...change });
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
