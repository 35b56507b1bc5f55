import { expect, test } from 'vitest';
import { surplus } from '../../../src/container/output-limit.ts';

const MIB = 1 << 20;
const GIB = 2 ** 30;

test.each([
  { what: 'nothing of a file within the limit', size: MIB, blocks: MIB / 512, surplus: 0 },
  { what: 'what is over half of it, in whole blocks', size: MIB + 5000, blocks: MIB / 512 + 16, surplus: 528_384 },
  { what: 'nothing of one that has given up its beginning', size: 9 * GIB, blocks: MIB / 1024, surplus: 0 },
  {
    what: 'the beginning again, of one larger than 32 bits',
    size: 9 * GIB,
    blocks: MIB / 512 + 8,
    surplus: 9 * GIB - MIB / 2,
  },
])('a hole takes $what', ({ size, blocks, surplus: bytes }) => {
  expect(surplus({ size, blocks }, MIB)).toBe(bytes);
});
