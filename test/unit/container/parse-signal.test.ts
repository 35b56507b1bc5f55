import { constants } from 'node:os';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseSignal } from '../../../src/container/signal.ts';

describe('parseSignal', () => {
  test.each([
    ['TERM', 15],
    ['SIGTERM', 15],
    ['term', 15],
    ['sigKill', 9],
    ['15', 15],
    ['1', 1],
    ['64', 64],
    ['WINCH', 28],
    ['RTMIN', 34],
    ['SIGRTMIN+3', 37],
    ['rtmin+30', 64],
  ])('%s is %i', (text, number) => {
    expect(parseSignal(text)).toBe(number);
  });

  test.each([
    '',
    '0',
    '65',
    '-9',
    '+9',
    '1.5',
    '0x9',
    '9 9',
    '015x',
    'SIG',
    'TERM TERM',
    'RTMIN+31',
    'RTMIN-1',
    'RTMIN+',
  ])('EINVAL for %j, saying what to write', (text) => {
    expect(() => parseSignal(text)).toThrow(
      expect.objectContaining({ errno: 'EINVAL', message: expect.stringContaining('such as TERM') as string }),
    );
  });

  test('knows every name this machine has', () => {
    for (const [name, number] of Object.entries(constants.signals)) expect(parseSignal(name)).toBe(number);
  });

  test('answers 1 to 64 or EINVAL, whatever is written', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        try {
          const signal = parseSignal(text);
          expect(signal >= 1 && signal <= 64).toBe(true);
        } catch (error) {
          expect(error).toMatchObject({ errno: 'EINVAL' });
        }
      }),
    );
  });
});
