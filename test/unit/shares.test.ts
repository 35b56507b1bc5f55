import { describe, expect, test } from 'vitest';
import { Shares, type Account } from '../../src/shares.ts';

const [ALICE, BOB, CAROL] = [1001, 1002, 'carol'] as const;

function taken(...accounts: readonly Account[]): Shares {
  const shares = new Shares({ each: 2, all: 3 });
  for (const account of accounts) shares.take(account);
  return shares;
}

describe('Shares.beyond', () => {
  test.each([
    ['a user who has his share', [ALICE, ALICE], ALICE, 'share'],
    ['another one', [ALICE, ALICE], BOB, undefined],
    ['a user when all together have what there is', [ALICE, ALICE, BOB], CAROL, 'all'],
    ['root then', [ALICE, ALICE, BOB], undefined, undefined],
    ['root, who has more than a user may', [undefined, undefined], undefined, undefined],
    ['root, who has as much as all users may', [undefined, undefined, undefined], undefined, 'all'],
    ['a user then', [undefined, undefined, undefined], ALICE, undefined],
  ] as const)('of %s', (_, had, who, expected) => {
    expect(taken(...had).beyond(who)).toBe(expected);
  });

  test('never refuses the first, whatever it weighs, nor what is given back and taken again', () => {
    const shares = taken();
    expect([shares.beyond(ALICE, 99), shares.beyond(undefined, 99)]).toEqual([undefined, undefined]);
    shares.take(ALICE, 99);
    expect([shares.beyond(ALICE), shares.of(ALICE), shares.beyond(BOB)]).toEqual(['share', 99, 'all']);
    shares.give(ALICE, 99);
    expect([shares.beyond(ALICE), shares.of(ALICE), shares.beyond(BOB)]).toEqual([undefined, 0, undefined]);
  });
});
