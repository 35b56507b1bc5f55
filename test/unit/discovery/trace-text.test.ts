import { describe, expect, test } from 'vitest';
import { TraceText } from '../../../src/discovery/trace-text.ts';

const ended = (pid: number, atSec: number, name = 'sh') =>
  `${name.padStart(16)}-${pid}    [000] .....  ${atSec}: sched_process_exit: comm=${name} pid=${pid} prio=120 group_dead=true\n`;
const event = (pid: number, atSec: number) => ({ kind: 'ended', pid, atSec });

describe('TraceText.push', () => {
  test('gives an event once a later one follows', () => {
    const text = new TraceText();
    expect(text.push(ended(1, 1.5))).toEqual([]);
    expect(text.push(ended(2, 2.5))).toEqual([event(1, 1.5)]);
  });

  test('puts in order what another cpu gave too late', () => {
    const text = new TraceText();
    const given = text.push(ended(1, 1.5) + ended(3, 3.5) + ended(2, 2.5) + ended(4, 4.5) + ended(5, 5.5));
    expect(given).toEqual([event(1, 1.5), event(2, 2.5), event(3, 3.5), event(4, 4.5)]);
  });

  test('puts lines together that were read in pieces', () => {
    const text = new TraceText();
    const all = ended(1, 1.5) + ended(2, 2.5);
    expect((all.match(/[^]{1,7}/gu) ?? []).flatMap((piece) => text.push(piece))).toEqual([event(1, 1.5)]);
  });

  test('reads on where a name has newlines', () => {
    const text = new TraceText();
    expect(text.push(ended(1, 1.5, 'a\nb\n\n c') + ended(2, 2.5, '\n'.repeat(15)) + ended(3, 3.5))).toEqual([
      event(1, 1.5),
      event(2, 2.5),
    ]);
  });

  test('says what was lost after all that was not', () => {
    const text = new TraceText();
    expect(text.push(`${ended(1, 1.5)}CPU:0 [LOST 7 EVENTS]\n`)).toEqual([event(1, 1.5), { kind: 'lost' }]);
    expect(text.push('what is this\n'.repeat(64))).toEqual([{ kind: 'lost' }]);
  });
});
