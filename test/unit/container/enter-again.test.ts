import { describe, expect, test } from 'vitest';
import { enter, finishEntering } from '../../../src/container/enter.ts';
import { world, type EnteringWorld } from '../../support/entering-world.ts';

describe('finishEntering', () => {
  const begun = (it: EnteringWorld) => {
    const startTime = 100 + it.target;
    it.store.commit([{ op: 'enter', serial: it.web.serial, pid: it.target, startTime, by: 'symlink', begun: true }]);
  };

  test('brings in who was told to be inside', async () => {
    using it = await world();
    begun(it);
    await finishEntering(it);
    expect(it.cgroupOfTarget()).toBe(`${it.cgroupOf(it.web)}/own`);
    expect([...it.store.registry.entered.values()]).toMatchObject([{ pid: it.target, begun: false }]);
  });

  test('leaves who is in already', async () => {
    using it = await world();
    begun(it);
    it.spawn(it.web, { pid: it.target });
    it.settle(it.target);
    await finishEntering(it);
    expect(it.tracer.did).toEqual([]);
    expect([...it.store.registry.entered.values()]).toMatchObject([{ pid: it.target, begun: false }]);
  });

  test('forgets who is gone, and says so', async () => {
    using it = await world();
    begun(it);
    it.kill(it.target);
    await finishEntering(it);
    expect(it.store.registry.entered.size).toBe(0);
    expect(it.web.error).toContain('ESRCH');
  });
});

describe('a request that comes again', () => {
  test('is done if the process is in, by whoever finished it', async () => {
    using it = await world();
    it.spawn(it.web, { pid: it.target });
    it.settle(it.target);
    const request = it.request({ pid: it.asker, resent: true });
    await enter(it, { container: it.web, by: 'symlink' }, it.target, request);
    expect([...it.store.registry.entered.keys()]).toEqual([it.target]);
    expect(it.store.wasDone(request.unique)).toBe(true);
    expect(it.tracer.did).toEqual([]);
  });
});
