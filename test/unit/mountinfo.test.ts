import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseMountinfo, unescapeOctal } from '../../src/mountinfo.ts';

/** As the kernel's mangle_path writes a path into mountinfo. */
const mangle = (text: string) =>
  text.replaceAll(/[ \t\n\\#]/g, (char) => `\\${char.charCodeAt(0).toString(8).padStart(3, '0')}`);

describe('parseMountinfo', () => {
  test('reads a line with optional fields', () => {
    const text = '36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 propagate_from:2 - ext3 /dev/root rw,errors=continue\n';
    expect(parseMountinfo(text)).toEqual([
      {
        id: 36,
        parent: 35,
        device: '98:0',
        root: '/mnt1',
        mountPoint: '/mnt2',
        options: ['rw', 'noatime'],
        type: 'ext3',
        source: '/dev/root',
        superOptions: ['rw', 'errors=continue'],
      },
    ]);
  });

  test('is not misled by a mount point that is a dash', () => {
    const [mount] = parseMountinfo('1 2 0:1 / - rw - tmpfs none rw');
    expect(mount).toMatchObject({ mountPoint: '-', type: 'tmpfs' });
  });

  test('gives back any mount point', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1 }), fc.array(fc.constantFrom('shared:1', 'master:2')), (name, optional) => {
        const line = ['1 2 0:1', mangle(`/r${name}`), mangle(`/${name}`), 'rw', ...optional, '- cgroup2 none rw'].join(
          ' ',
        );
        const [mount] = parseMountinfo(`${line}\n`);
        expect(mount).toMatchObject({ root: `/r${name}`, mountPoint: `/${name}`, type: 'cgroup2' });
      }),
    );
  });

  test('passes over torn lines', () => {
    expect(parseMountinfo('36 35 98:0 /mnt1\n\n1 2 0:1 / /a rw - tmpfs')).toEqual([]);
  });
});

describe('unescapeOctal', () => {
  test('undoes each escape once', () => {
    expect(unescapeOctal('a\\040b\\134040')).toBe('a b\\040');
  });
});
