import { describe, expect, test } from 'vitest';
import type { SetKey } from '../../../src/discovery/key.ts';
import { Lineage } from '../../../src/discovery/lineage.ts';
import { originOf } from '../../../src/discovery/origin.ts';
import type { Member, NsSet } from '../../../src/discovery/sets.ts';
import type { Pid } from '../../../src/ids.ts';

const [ONE, TWO, THREE, FOUR, FIVE] = [1, 2, 3, 4, 5] as [Pid, Pid, Pid, Pid, Pid];
const UTS = 0x0400_0000;
const NET = 0x4000_0000;
const MACHINE = '1,2,3,4,5,6,7,8';

/** A set that has a process. */
function set(key: string): NsSet {
  const members = new Set([{ pid: 0 } as unknown as Member]);
  const nothing = { serial: undefined, parent: undefined, stage: undefined, identity: undefined };
  return { key: key as SetKey, members, seenAtMs: 0, isDoubtful: false, ...nothing };
}

/** Each call is a moment later than the one before it. */
function history({ exact = true } = {}) {
  const lineage = new Lineage();
  lineage.exact = exact;
  let atSec = 0;
  const tick = () => (atSec += 1);
  const sets: NsSet[] = [];
  return {
    lineage,
    born: (pid: Pid, child: Pid, fresh = 0, thread = false) => {
      lineage.apply({ kind: 'born', pid, child, fresh, thread, atSec: tick() });
    },
    changing: (pid: Pid, fresh: number, joins = false) => {
      lineage.apply({ kind: 'changing', pid, fresh, joins, atSec: tick() });
    },
    changed: (pid: Pid, done = true) => {
      lineage.apply({ kind: 'changed', pid, done, atSec: tick() });
    },
    ended: (pid: Pid) => {
      lineage.apply({ kind: 'ended', pid, atSec: tick() });
    },
    executed: (pid: Pid) => {
      lineage.apply({ kind: 'executed', pid, atSec: tick() });
    },
    seen: (pid: Pid, found: NsSet, { fromSec = tick(), startTime = 0 } = {}) => {
      sets.push(found);
      return lineage.bind({ pid, startTime, set: found, fromSec, toSec: fromSec });
    },
    origin: (of: NsSet) => originOf(of, () => sets),
  };
}

describe('the origin of a set', () => {
  test('is the set of who made its first process, whoever else is gone', () => {
    const { seen, born, changing, changed, ended, origin } = history();
    const [top, made] = [set(MACHINE), set('1,9,3,4,5,6,7,8')];
    seen(ONE, top);
    born(ONE, TWO);
    born(TWO, THREE);
    ended(TWO);
    changing(THREE, UTS);
    changed(THREE);
    seen(THREE, made);
    expect(origin(made)).toEqual({ set: top, unknown: [] });
  });

  test('passes over one that nobody was seen in and nobody is left of, and waits for a look while somebody is', () => {
    const { seen, born, changing, changed, ended, origin } = history();
    const [top, made] = [set(MACHINE), set('9,9,3,4,5,6,7,8')];
    seen(ONE, top);
    born(ONE, TWO, UTS);
    born(TWO, THREE);
    changing(TWO, UTS);
    changed(TWO);
    seen(TWO, made);
    expect(origin(made)).toEqual({ set: top, unknown: [THREE] });
    ended(THREE);
    expect(origin(made)).toEqual({ set: top, unknown: [] });
  });

  test('is not a set that is gone', () => {
    const { seen, born, ended, origin } = history();
    const [top, middle, made] = [set(MACHINE), set('1,9,3,4,5,6,7,8'), set('1,9,3,10,5,6,7,8')];
    seen(ONE, top);
    born(ONE, TWO, UTS);
    seen(TWO, middle);
    born(TWO, THREE, NET);
    seen(THREE, made);
    expect(origin(made).set).toBe(middle);
    ended(TWO);
    middle.members.clear();
    expect(origin(made).set).toBe(top);
  });

  test('is the one that somebody is in who called setns(2) to no effect, though nobody was seen before', () => {
    const { seen, born, changing, changed, origin } = history();
    const [top, middle, made] = [set(MACHINE), set('1,9,3,4,5,6,7,8'), set('1,9,3,10,5,6,7,8')];
    seen(ONE, top);
    born(ONE, TWO, UTS);
    born(TWO, THREE);
    changing(THREE, UTS, true);
    changed(THREE);
    changing(TWO, NET);
    changed(TWO);
    seen(TWO, made);
    expect(origin(made).unknown).toEqual([THREE]);
    seen(THREE, middle);
    expect(origin(made)).toEqual({ set: middle, unknown: [] });
  });

  test('is the one that setns(2) joined, though nobody was seen there', () => {
    const { seen, born, changing, changed, origin } = history();
    const [top, joined, made] = [set(MACHINE), set('10,9,3,4,5,6,7,8'), set('10,11,3,4,5,6,7,8')];
    seen(ONE, top);
    seen(FOUR, joined);
    born(ONE, TWO);
    changing(TWO, 0x7e02_0080, true);
    changed(TWO);
    changing(TWO, UTS);
    changed(TWO);
    seen(TWO, made);
    expect(origin(made).set).toBe(joined);
  });

  test('is that of the thread which made it, and of the one that took its process over', () => {
    const { seen, born, changing, changed, ended, executed, origin } = history();
    const [top, made, inner] = [set(MACHINE), set('1,9,3,4,5,6,7,8'), set('1,9,3,10,5,6,7,8')];
    seen(ONE, top);
    born(ONE, TWO);
    born(TWO, THREE, 0, true);
    changing(THREE, UTS);
    changed(THREE);
    born(THREE, FOUR);
    seen(FOUR, made);
    expect(origin(made)).toEqual({ set: top, unknown: [] });
    ended(TWO);
    executed(TWO);
    born(TWO, FIVE, NET);
    seen(FIVE, inner);
    expect(origin(inner).set).toBe(made);
  });

  test('is what a process was in before it moved unheard, if what came of it has that one’s namespaces', () => {
    const { seen, born, origin } = history({ exact: false });
    const [top, later] = [set(MACHINE), set('1,9,3,4,5,6,7,8')];
    const [early, late] = [set('10,2,3,4,5,6,7,8'), set('11,9,3,4,5,6,7,8')];
    seen(ONE, top);
    born(ONE, TWO);
    seen(TWO, top);
    born(TWO, THREE);
    born(TWO, FOUR);
    seen(TWO, later);
    seen(THREE, early);
    seen(FOUR, late);
    expect([origin(later).set, origin(early).set, origin(late).set]).toEqual([top, top, later]);
  });

  test('is unknown of a set that was there before anybody listened', () => {
    const { seen, origin } = history();
    const old = set(MACHINE);
    seen(ONE, old);
    expect(origin(old)).toEqual({ set: undefined, unknown: [] });
    expect(origin(set('alone'))).toEqual({ set: undefined, unknown: [] });
  });
});

describe('Lineage.bind', () => {
  test('does not say anything by a look at a process that changed meanwhile', () => {
    const { seen, born, changing, changed } = history();
    const [top, made] = [set(MACHINE), set('1,9,3,4,5,6,7,8')];
    seen(ONE, top);
    born(ONE, TWO);
    changing(TWO, UTS);
    expect(seen(TWO, made)).toBe('look again');
    changed(TWO);
    expect(seen(TWO, made, { fromSec: 4 })).toBe('look again');
    expect(made.stage).toBeUndefined();
    expect(seen(TWO, made)).toBe('told');
  });

  test('takes who is still to be seen after his end for nobody who was there before', () => {
    const { lineage, seen, born, ended } = history();
    const [top, made] = [set(MACHINE), set('1,9,3,4,5,6,7,8')];
    lineage.listen(100);
    seen(ONE, top);
    born(ONE, TWO, UTS);
    ended(TWO);
    seen(TWO, made, { startTime: 101 });
    expect(made.stage).toBeUndefined();
  });

  /** ONE was seen in a set, made other namespaces, and is seen with the numbers of the first. */
  const returned = ({ fresh, joins }: { readonly fresh: number; readonly joins: boolean }) => {
    const it = history();
    const made = set('1,9,3,4,5,6,7,8');
    it.seen(ONE, made);
    for (const joining of [false, joins]) {
      it.changing(ONE, fresh, joining);
      it.changed(ONE);
    }
    return { ...it, made };
  };

  test('knows that numbers were given again, where the kernel tells of no unique ones', () => {
    const { seen, made } = returned({ fresh: UTS, joins: false });
    expect(seen(ONE, made)).toBe('other set');
    made.identity = [undefined, '7'];
    expect(seen(ONE, made)).toBe('told');
  });

  test('takes who called setns(2) last for one who came back', () => {
    const { seen, made } = returned({ fresh: UTS, joins: true });
    expect(seen(ONE, made)).toBe('told');
  });

  test('says nothing of a set that may be another one by now', () => {
    const { seen } = history();
    const made = set('1,9,3,4,5,6,7,8');
    made.isDoubtful = true;
    seen(ONE, set(MACHINE));
    expect(seen(ONE, made)).toBe('look again');
    expect(made.stage).toBeUndefined();
  });

  test('corrects a look at a process whose birth was told later', () => {
    const { seen, born, origin } = history();
    const [top, made] = [set(MACHINE), set('1,9,3,4,5,6,7,8')];
    seen(ONE, top);
    seen(TWO, made);
    born(ONE, TWO, UTS);
    seen(TWO, made);
    expect(origin(made).set).toBe(top);
  });
});
