import { describe, expect, test } from 'vitest';
import type { SetKey } from '../../../src/discovery/key.ts';
import { Lineage } from '../../../src/discovery/lineage.ts';
import type { NsSet } from '../../../src/discovery/sets.ts';
import type { Pid } from '../../../src/ids.ts';

const [ONE, TWO, THREE, FOUR] = [1, 2, 3, 4] as [Pid, Pid, Pid, Pid];

function set(name: string): NsSet {
  const key = name as SetKey;
  return { key, members: new Set(), seenAtMs: 0, serial: undefined, parent: undefined, stage: undefined };
}

describe('Lineage.origin', () => {
  const [top, first, second] = [set('top'), set('first'), set('second')];

  test('is the set of who made the first process, whoever else is gone', () => {
    const lineage = new Lineage();
    lineage.born(ONE, TWO, false, top);
    lineage.born(TWO, THREE, false, undefined);
    lineage.changed(THREE, 5, undefined);
    lineage.seen(THREE, first, 6);
    expect(lineage.origin(first)).toBe(top);
  });

  test('is the set of a process that was born apart, told of twice', () => {
    const lineage = new Lineage();
    const [apart, inner] = [set('apart'), set('inner')];
    lineage.born(ONE, TWO, true, top);
    lineage.born(ONE, TWO, false, top);
    lineage.born(TWO, THREE, true, undefined);
    lineage.seen(TWO, apart, 6);
    lineage.seen(THREE, inner, 6);
    expect([lineage.origin(inner), lineage.origin(apart)]).toEqual([apart, top]);
  });

  test('passes over a stage that nobody was seen in', () => {
    const lineage = new Lineage();
    lineage.born(ONE, TWO, true, top);
    lineage.changed(TWO, 5, undefined);
    const third = set('third');
    lineage.seen(TWO, third, 6);
    expect(lineage.origin(third)).toBe(top);
  });

  test('is the stage in between, once somebody who stayed in it is seen', () => {
    const lineage = new Lineage();
    lineage.born(ONE, TWO, true, top);
    lineage.born(TWO, THREE, false, undefined);
    lineage.changed(TWO, 5, undefined);
    const [here, there] = [set('here'), set('there')];
    lineage.seen(TWO, there, 6);
    lineage.seen(THREE, here, 6);
    expect([lineage.origin(there), lineage.origin(here)]).toEqual([here, top]);
  });

  test('is the set that a process joined, for what it makes then', () => {
    const lineage = new Lineage();
    const [joined, made] = [set('joined'), set('made')];
    lineage.born(ONE, TWO, false, top);
    lineage.joined(TWO, joined, 5);
    lineage.born(TWO, THREE, true, undefined);
    lineage.seen(THREE, made, 6);
    expect(lineage.origin(made)).toBe(joined);
  });

  test('is right also if a look was ahead of the event', () => {
    const lineage = new Lineage();
    lineage.born(ONE, TWO, true, set('root'));
    lineage.seen(TWO, second, 7);
    lineage.born(TWO, FOUR, false, undefined);
    lineage.changed(TWO, 5, second);
    lineage.seen(TWO, second, 8);
    const stayed = set('stayed');
    lineage.seen(FOUR, stayed, 8);
    expect(lineage.origin(second)).toBe(stayed);
  });

  test('is unknown where no event told', () => {
    expect(new Lineage().origin(set('alone'))).toBeUndefined();
  });
});
