import { GLANCED_PER_ROUND } from '../../../src/discovery/sweep.ts';
import { afterEach, describe, expect, test, vi } from 'vitest';
import type { Pid } from '../../../src/ids.ts';
import { machine } from '../../support/observed-machine.ts';

afterEach(() => {
  vi.restoreAllMocks();
});

describe('Observer, while events are heard', () => {
  const heard = async () => {
    const it = machine();
    it.observer.beginTracing(true, () => undefined);
    await it.survey();
    await it.pass();
    const reads = vi.spyOn(it.volume, 'readFileSync');
    const lists = vi.spyOn(it.volume.promises, 'readdir');
    const links = vi.spyOn(it.volume, 'readlinkSync');
    const readLinksOf = () => links.mock.calls.filter(([file]) => String(file).endsWith('/ns/mnt')).length;
    const readOf = (pid: number) => reads.mock.calls.filter(([file]) => file === `/proc/${pid}/stat`).length;
    return { ...it, lists, readOf, readLinksOf };
  };

  test('lists nothing, however many come and go', async () => {
    const { add, tell, pass, setOf, lists } = await heard();
    for (let pid = 1000; pid < 3000; pid += 500) {
      add({ pid, ppid: 1, ns: { mnt: pid } });
      tell(1, pid);
      await pass();
      await pass();
      expect(setOf(pid)).toBeDefined();
    }
    expect(lists).not.toHaveBeenCalled();
  });

  test('looks at nobody who has ended before he was due', async () => {
    const { tell, pass, observer, readOf } = await heard();
    tell(1, 10);
    tell(1, 11);
    observer.hear({ kind: 'ended', pid: 10, atSec: 1e9 }, 0);
    await pass();
    await pass();
    expect([readOf(10), readOf(11)]).toEqual([0, 1]);
  });

  test('keeps who was met while all were being listed', async () => {
    const { add, volume, observer, pass, setOf, now } = await heard();
    add({ pid: 9, ppid: 1 });
    const names = (await volume.promises.readdir('/proc')) as string[];
    vi.spyOn(volume.promises, 'readdir').mockImplementation(() => {
      add({ pid: 10, ppid: 1, ns: { mnt: 100 } });
      observer.look(10 as Pid, now());
      return Promise.resolve(names);
    });
    await pass(6_000);
    await pass();
    expect([setOf(9), setOf(10)]).toEqual([observer.sets.machine, expect.anything()]);
  });

  test('is quiet until somebody is to be looked at, or something is heard', async () => {
    const { add, tell, pass, setOf, observer, now } = await heard();
    /** Whenever it is quiet until then, as a round follows it; from the mark that says that all is heard. */
    const quietTimes = async () => {
      tell();
      const times: number[] = [];
      for (;;) {
        await pass(50);
        const waitMs = observer.quietUntilMs - now();
        if (waitMs === Infinity) return times;
        if (waitMs <= 50) continue;
        times.push(waitMs);
        await pass(waitMs - 50);
      }
    };
    expect(await quietTimes()).toEqual([]);
    add({ pid: 10, ppid: 1, ns: { mnt: 100 } });
    tell(1, 10);
    expect(observer.quietUntilMs).toBe(-Infinity);
    await pass();
    await pass();
    expect(setOf(10)).toBeDefined();
    // It is looked at for three seconds, more and more seldom.
    const times = await quietTimes();
    expect([times.length, times.at(-1)! > 1_000]).toEqual([4, true]);
    tell();
    expect(observer.quietUntilMs).toBe(-Infinity);
    await quietTimes();
    observer.endTracing();
    expect(observer.quietUntilMs).toBe(-Infinity);
  });

  test('is not quiet beside many who are to be looked at soon', async () => {
    const { add, tell, pass, observer } = await heard();
    for (let pid = 1000; pid < 1100; pid++) {
      add({ pid, ppid: 1 });
      tell(1, pid);
    }
    await pass();
    await pass();
    tell();
    await pass(50);
    expect(observer.quietUntilMs).toBe(-Infinity);
  });

  test('looks at as many old ones in one round as in those that it stands for', async () => {
    const { add, observer, readLinksOf, now } = await heard();
    for (let pid = 100; pid < 140; pid++) {
      add({ pid, ppid: 1 });
      observer.look(pid as Pid, now());
    }
    const before = readLinksOf();
    await observer.round(now());
    const one = readLinksOf() - before;
    await observer.round(now(), 4);
    expect([one, readLinksOf() - before - one]).toEqual([GLANCED_PER_ROUND, 4 * GLANCED_PER_ROUND]);
  });
});
