import { describe, expect, test } from 'vitest';
import { errnoOf, FakeTree } from '../../support/fake-tree.ts';

/** A tree in which `web` runs. */
async function running(): Promise<FakeTree> {
  const it = new FakeTree();
  it.mkdir('web');
  await it.write('web/.state', 'running');
  return it;
}

/** What `rm -rf` does to a directory without containers in it. */
async function rmrf(it: FakeTree, path: string): Promise<void> {
  for (const name of await it.ls(path)) {
    if (name === '.ns') {
      for (const kind of await it.ls(`${path}/.ns`)) it.unlink(`${path}/.ns/${kind}`);
      await it.rmdir(`${path}/.ns`);
    } else it.unlink(`${path}/${name}`);
  }
  await it.rmdir(path);
}

describe('Tree.rmdir', () => {
  test('removes what never started', async () => {
    using it = new FakeTree();
    it.mkdir('web');
    await it.rmdir('web');
    expect(it.store.registry.size).toBe(1);
  });

  test('ENOTEMPTY for what runs, and it kills nothing', async () => {
    using it = await running();
    expect(await errnoOf(() => it.rmdir('web'))).toBe('ENOTEMPTY');
    expect([it.cgroupfs.processes.size, it.container('web').error]).toEqual([1, undefined]);
  });

  test('kills when all entries were unlinked', async () => {
    using it = await running();
    await rmrf(it, 'web');
    expect([it.cgroupfs.processes.size, it.store.registry.size]).toEqual([0, 1]);
  });

  test('kills though its init ends while entries are being unlinked', async () => {
    using it = await running();
    it.spawn(it.container('web'));
    const names = await it.ls('web');
    it.unlink(`web/${names[0]!}`);
    it.kill(it.container('web').init!.pid);
    for (const kind of await it.ls('web/.ns')) it.unlink(`web/.ns/${kind}`);
    for (const name of await it.ls('web')) it.unlink(`web/${name}`);
    await it.rmdir('web');
    expect(it.cgroupfs.processes.size).toBe(0);
  });

  test('removes what has ended, with its reports', async () => {
    using it = await running();
    it.kill(it.container('web').init!.pid);
    await expect.poll(() => it.ls('web')).toEqual(['.state', '.events', '.exit']);
    await rmrf(it, 'web');
    expect(it.store.registry.size).toBe(1);
  });

  test('ENOENT for what is not there, a control entry included; ENAMETOOLONG', async () => {
    using it = await running();
    for (const name of ['nothing', '.exit', '.state'])
      expect(await errnoOf(() => it.rmdir(`web/${name}`))).toBe('ENOENT');
    expect(await errnoOf(() => it.rmdir('x'.repeat(256)))).toBe('ENAMETOOLONG');
  });

  test('EBUSY, with the reason, for what the daemon lives in', async () => {
    using it = await running();
    it.spawn(it.container('web'), { pid: process.pid });
    for (const kind of await it.ls('web/.ns')) it.unlink(`web/.ns/${kind}`);
    for (const name of await it.ls('web')) if (name !== '.ns') it.unlink(`web/${name}`);
    await it.rmdir('web/.ns');
    expect(await errnoOf(() => it.rmdir('web'))).toBe('EBUSY');
    expect(it.container('web').error).toContain('daemon');
  });
});

describe('Tree.unlink', () => {
  test('hides an entry and has no other effect; it does not resolve then', async () => {
    using it = await running();
    it.unlink('web/.state');
    expect(await it.ls('web')).not.toContain('.state');
    expect(await errnoOf(() => it.tree.lookup(it.request(), it.id('web'), '.state'))).toBe('ENOENT');
    expect(
      await errnoOf(() => {
        it.unlink('web/.state');
      }),
    ).toBe('ENOENT');
    expect(it.container('web').phase).toBe('running');
  });

  test('tells its adapter what it hid, so that the serving thread hides it too', async () => {
    using it = await running();
    it.unlink('web/.state');
    for (const kind of await it.ls('web/.ns')) it.unlink(`web/.ns/${kind}`);
    await it.rmdir('web/.ns');
    const bits = it.hidden.reduce((all, [, bit]) => all | bit, 0);
    expect([new Set(it.hidden.map(([serial]) => serial)), bits]).toEqual([
      new Set([it.container('web').serial]),
      it.container('web').hidden,
    ]);
  });

  test('removes a report for good', async () => {
    using it = await running();
    await errnoOf(() => it.write('web/.state', 'nonsense'));
    expect(await it.ls('web')).toContain('.error');
    it.unlink('web/.error');
    expect([it.container('web').error, it.container('web').hidden]).toEqual([undefined, 0]);
  });

  test('EISDIR for a container, ENOENT for nothing', async () => {
    using it = await running();
    expect(
      await errnoOf(() => {
        it.unlink('web');
      }),
    ).toBe('EISDIR');
    expect(
      await errnoOf(() => {
        it.unlink('nothing');
      }),
    ).toBe('ENOENT');
  });
});

describe('Tree.rename', () => {
  test('renames containers; control entries keep their names', async () => {
    using it = await running();
    await it.rename('web', 'www');
    expect(it.container('www').phase).toBe('running');
    expect(await errnoOf(() => it.rename('www/.state', 'www/.old'))).toBe('EPERM');
    it.mkdir('other');
    expect(await errnoOf(() => it.rename('www', 'other/.ns/net'))).toBe('EPERM');
    expect(await errnoOf(() => it.rename('nothing', 'something'))).toBe('ENOENT');
    expect(await errnoOf(() => it.rename('www', 'x'.repeat(256)))).toBe('ENAMETOOLONG');
  });

  test('onto an empty one replaces it, one that has a refusal to tell too; onto another ENOTEMPTY', async () => {
    using it = await running();
    for (const name of ['empty', 'full', 'full/job']) it.mkdir(name);
    await errnoOf(() => it.write('empty/.state', 'frozen'));
    expect(await it.ls('empty')).toEqual(['.error']);
    expect(await errnoOf(() => it.rename('web', 'full'))).toBe('ENOTEMPTY');
    await it.rename('web', 'empty');
    expect((await it.ls('')).filter((name) => name[0] !== '.')).toEqual(['empty', 'full']);
  });
});
