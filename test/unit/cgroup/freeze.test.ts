import { describe, expect, test } from 'vitest';
import { isFrozen } from '../../../src/cgroup/cgroup.ts';
import { freeze, holdFrozen, isAskedToFreeze, thaw } from '../../../src/cgroup/freeze.ts';
import { FakeCgroupfs } from '../../support/fake-cgroupfs.ts';

const WEB = '/sys/fs/cgroup/nsdir-x/1';

function withWeb(...pids: number[]): FakeCgroupfs {
  const fake = new FakeCgroupfs();
  fake.cgroup(`${WEB}/own`, ...pids);
  return fake;
}

describe('freeze', () => {
  test('is fulfilled when all stand still', async () => {
    const fake = withWeb(5);
    fake.stubborn.add(5);
    setTimeout(() => fake.stubborn.delete(5), 5);
    await freeze(fake.files, WEB);
    expect(isFrozen(fake.files, WEB)).toBe(true);
  });

  test('thaws again and names who would not stop', async () => {
    const fake = withWeb(5);
    fake.stubborn.add(5);
    fake.volume.mkdirSync('/proc/5', { recursive: true });
    fake.volume.writeFileSync('/proc/5/stat', '5 (a) D) D 1 5 5 0 -1');
    await expect(freeze(fake.files, WEB, { limitMs: 5 })).rejects.toMatchObject({
      errno: 'ETIMEDOUT',
      message: expect.stringContaining('process 5') as string,
    });
    expect(isAskedToFreeze(fake.files, WEB)).toBe(false);
  });

  test('leaves what was frozen before frozen when interrupted', async () => {
    const fake = withWeb(5);
    await freeze(fake.files, WEB);
    fake.stubborn.add(5);
    await expect(freeze(fake.files, WEB, { signal: AbortSignal.abort() })).rejects.toMatchObject({ errno: 'EINTR' });
    expect(isAskedToFreeze(fake.files, WEB)).toBe(true);
  });

  test('ENOENT when the cgroup goes meanwhile', async () => {
    const fake = withWeb(5);
    fake.stubborn.add(5);
    setTimeout(() => {
      fake.volume.rmSync(WEB, { recursive: true });
    }, 3);
    await expect(freeze(fake.files, WEB)).rejects.toMatchObject({ errno: 'ENOENT' });
  });

  test('ENOTSUP without the freezer', async () => {
    const fake = new FakeCgroupfs({ without: ['cgroup.freeze'] });
    fake.cgroup(WEB);
    await expect(freeze(fake.files, WEB)).rejects.toMatchObject({ errno: 'ENOTSUP' });
  });
});

describe('thaw', () => {
  test('lets go', async () => {
    const fake = withWeb(5);
    await freeze(fake.files, WEB);
    await thaw(fake.files, WEB);
    expect(isFrozen(fake.files, WEB)).toBe(false);
  });

  test('does not wait for what an ancestor keeps frozen', async () => {
    const fake = withWeb(5);
    await freeze(fake.files, WEB);
    await freeze(fake.files, `${WEB}/own`);
    await thaw(fake.files, `${WEB}/own`, { limitMs: 5 });
    expect(isAskedToFreeze(fake.files, `${WEB}/own`)).toBe(false);
    expect(isFrozen(fake.files, `${WEB}/own`)).toBe(true);
  });
});

describe('holdFrozen', () => {
  test('thaws at the end of the block', async () => {
    const fake = withWeb(5);
    {
      await using frozen = await holdFrozen(fake.files, WEB);
      expect(frozen).toBeDefined();
      expect(isFrozen(fake.files, WEB)).toBe(true);
    }
    expect(isFrozen(fake.files, WEB)).toBe(false);
  });

  test('leaves frozen what was', async () => {
    const fake = withWeb(5);
    await freeze(fake.files, WEB);
    await (await holdFrozen(fake.files, WEB))[Symbol.asyncDispose]();
    expect(isFrozen(fake.files, WEB)).toBe(true);
  });

  test('bears that the cgroup went', async () => {
    const fake = withWeb();
    const frozen = await holdFrozen(fake.files, WEB);
    fake.volume.rmSync(WEB, { recursive: true });
    await expect(frozen[Symbol.asyncDispose]()).resolves.toBeUndefined();
  });
});
