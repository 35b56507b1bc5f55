import { afterEach, expect, test, vi } from 'vitest';
import { keyOf } from '../../../src/discovery/key.ts';
import { Lineage } from '../../../src/discovery/lineage.ts';
import { originOf } from '../../../src/discovery/origin.ts';
import { Sets, type Member } from '../../../src/discovery/sets.ts';
import { Sightings } from '../../../src/discovery/sightings.ts';
import { ROOT_SERIAL, type Pid } from '../../../src/ids.ts';

const NEW_UTS = 0x0400_0000;

afterEach(() => {
  vi.restoreAllMocks();
});

test('a maker that is gone when it is looked at has made what is heard only then', () => {
  let nowSec = 0;
  vi.spyOn(process.hrtime, 'bigint').mockImplementation(() => BigInt(nowSec * 1e9));
  const sets = new Sets(keyOf(['1'], { pid: 1, startTime: 1 }), ROOT_SERIAL);
  const lineage = new Lineage();
  lineage.exact = true;
  const sightings = new Sightings(lineage);
  const placed = (pid: number, namespace: string): Member => {
    const seen = { pid: pid as Pid, startTime: 1e9, ppid: 1 as Pid, cgroup: '' };
    return sets.place(seen, keyOf([namespace], seen), { origin: undefined, orphan: false }, 0);
  };
  const born = (atSec: number, pid: number, child: number, fresh = 0) => {
    sightings.hear({ kind: 'born', pid, child, fresh, thread: false, atSec });
  };
  born(1, 1, 10, NEW_UTS);
  nowSec = 5;
  sightings.addMissing(10 as Pid);
  born(2, 10, 12, NEW_UTS);
  born(3, 10, 11);
  sightings.hear({ kind: 'ended', pid: 10, atSec: 4 });
  nowSec = 7;
  const [maker, made] = [placed(11, '2'), placed(12, '3')];
  for (const { pid, startTime, set } of [maker, made]) sightings.add({ pid, startTime }, set, nowSec);
  sightings.hear({ kind: 'mark', atSec: 9 });
  expect(originOf(made.set, () => sets.all()).set).toBe(maker.set);
});
