import { describe, expect, test } from 'vitest';
import { filesIn, machineMountsIn, remappedIn, rewriteFiles } from '../../../src/checkpoint/files-image.ts';
import { bytesField, fieldsOf, imageOf, messagesOf } from '../../../src/checkpoint/protobuf.ts';

const MAGIC = Buffer.from('1943565438313056', 'hex');
/** Tag and value below 128. */
const small = (number: number, value: number) => Buffer.from([number * 8, value]);
const text = (number: number, value: string) => bytesField(number, Buffer.from(value));

/** `file_entry` with a `reg_file_entry`: mount 4 (zigzag: 8), size 100, mode 0o644 & 0x7f. */
const file = (name: string) =>
  Buffer.concat([
    small(1, 1),
    small(2, 9),
    bytesField(3, Buffer.concat([small(1, 9), text(6, name), small(7, 8), small(8, 100), small(10, 36)])),
  ]);
const pipe = Buffer.concat([small(1, 2), small(2, 10), bytesField(18, small(1, 10))]);
const IMAGE = imageOf(MAGIC, [file('/var/log/a'), pipe, file('/etc/x')]);

describe('filesIn', () => {
  test('tells path, mount and size of regular files', () => {
    expect(filesIn(IMAGE)).toEqual([
      { id: 9, path: '/var/log/a', mountId: 4, size: 100 },
      { id: 9, path: '/etc/x', mountId: 4, size: 100 },
    ]);
  });

  test('refuses an image that ends in the middle, at every byte of it', () => {
    for (let length = 9; length < IMAGE.length; length += 1) {
      const cut = IMAGE.subarray(0, length);
      try {
        for (const { path } of filesIn(cut)) expect(path).toMatch(/^\//);
      } catch (error) {
        expect(error).toMatchObject({ errno: 'EIO' });
      }
    }
  });
});

describe('rewriteFiles', () => {
  const nothing = { rename: (path: string) => path, ignoreSize: () => false, ignoreMode: () => false };

  test('changes nothing that it is not asked to', () => {
    expect(rewriteFiles(IMAGE, nothing).equals(IMAGE)).toBe(true);
  });

  test('gives a file another path, also a long one', () => {
    const long = `/${'x'.repeat(300)}`;
    const rename = (path: string) => (path === '/etc/x' ? long : path);
    expect(filesIn(rewriteFiles(IMAGE, { ...nothing, rename })).map(({ path }) => path)).toEqual(['/var/log/a', long]);
  });

  test('takes sizes away where they are to be ignored', () => {
    const ignoreSize = ({ path }: { path: string }) => path === '/etc/x';
    expect(filesIn(rewriteFiles(IMAGE, { ...nothing, ignoreSize })).map(({ size }) => size)).toEqual([100, undefined]);
  });

  test('takes permissions away where they are to be ignored', () => {
    const [message = Buffer.alloc(0)] = messagesOf(
      rewriteFiles(IMAGE, { ...nothing, ignoreMode: () => true }),
    ).messages;
    const reg = fieldsOf(message).find(({ number }) => number === 3)?.bytes ?? Buffer.alloc(0);
    expect(fieldsOf(reg).map(({ number }) => number)).toEqual([1, 6, 7, 8]);
  });
});

describe('rewriteFiles of a timer', () => {
  const nothing = { rename: (path: string) => path, ignoreSize: () => false, ignoreMode: () => false };
  /** `timerfd_entry`: time left and interval, in nanoseconds below 128. */
  const timer = (left: number, interval: number) =>
    imageOf(MAGIC, [
      Buffer.concat([
        small(1, 15),
        bytesField(12, Buffer.concat([small(1, 3), small(7, 0), small(8, left), small(9, 0), small(10, interval)])),
      ]),
    ]);
  const left = (image: Buffer) => {
    const [message = Buffer.alloc(0)] = messagesOf(image).messages;
    const entry = fieldsOf(message).find(({ number }) => number === 12)?.bytes ?? Buffer.alloc(0);
    return fieldsOf(entry).find(({ number }) => number === 8)?.value;
  };

  test('winds up a periodic one that had expired', () => {
    expect(left(rewriteFiles(timer(0, 10), nothing))).toBe(10);
  });

  test('leaves alone one that runs, and one that was not set', () => {
    expect(rewriteFiles(timer(7, 10), nothing).equals(timer(7, 10))).toBe(true);
    expect(rewriteFiles(timer(0, 0), nothing).equals(timer(0, 0))).toBe(true);
  });
});

test('remappedIn tells the ids of files that criu keeps', () => {
  const remap = (id: number) => Buffer.concat([small(1, id), small(2, id + 1), small(3, 1)]);
  expect(remappedIn(imageOf(MAGIC, [remap(5), remap(9)]))).toEqual(new Set([5, 9]));
});

test('machineMountsIn tells the root and what is external, and nothing else', () => {
  const mount = (id: number, point: string, key?: string) =>
    Buffer.concat([small(2, id), text(7, point), ...(key === undefined ? [] : [text(18, key)])]);
  const image = imageOf(MAGIC, [mount(1, '/'), mount(2, '/dev'), mount(3, '/srv', 'disk0')]);
  expect(machineMountsIn(image)).toEqual([
    { id: 1, key: undefined },
    { id: 3, key: 'disk0' },
  ]);
});
