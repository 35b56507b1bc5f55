import { expect, it } from 'vitest';
import { detached, procsOf } from '../support/containers.ts';
import { discovering, shown, unshared } from '../support/found.ts';
import { isAlive, mounted } from '../support/mounted.ts';

it('nsdir which says in which container a process is', async () => {
  await using tree = await discovering();
  await detached(tree, 'web', ['sleep', '1000']);
  await using maker = await unshared(['--mount']);
  const at = await shown(tree, maker.pid);
  const [pid] = await procsOf(tree, 'web');
  const which = async (asked: number) => (await tree.nsdir('which', String(asked))).stdout;
  expect(await which(maker.pid)).toBe(`${tree.dir}/${at}`);
  expect(await which(pid!)).toBe(`${tree.dir}/web`);
  expect(await which(process.pid)).toBe(tree.dir);
  expect(await tree.nsdir('which', '4194303')).toMatchObject({ status: 1 });
});

it('nsdir tree shows what was made or named here, and with --all what was discovered too', async () => {
  await using tree = await discovering();
  await tree.ok('mkdir web');
  await using maker = await unshared(['--mount']);
  const at = await shown(tree, maker.pid);
  const names = async (...options: string[]) =>
    (
      JSON.parse((await tree.nsdir('tree', '--json', ...options)).stdout) as { children: { name: string }[] }
    ).children.map(({ name }) => name);
  expect(await names()).toEqual(['web']);
  expect(await names('--all')).toEqual(expect.arrayContaining(['web', at]));
  await tree.ok(`mv ${at} mine-${process.pid}`);
  expect((await names()).sort()).toEqual([`mine-${process.pid}`, 'web']);
});

it('nsdir run on what others made says that it is theirs, and what to type', async () => {
  await using tree = await discovering();
  await using maker = await unshared(['--mount']);
  const at = await shown(tree, maker.pid);
  expect(await tree.nsdir('run', at, '--', 'true')).toEqual({
    status: 125,
    stdout: '',
    stderr: `nsdir run: ${at} was made by others, and has no init of nsdir to ask: nsdir enter ${at} -- COMMAND`,
  });
});

it('nsdir umount --kill kills what was made here and nothing that was only discovered', async () => {
  await using maker = await unshared(['--mount']);
  await using other = await unshared(['--uts']);
  {
    await using tree = await discovering();
    await tree.ok(`mv ${await shown(tree, other.pid)} adopted-${process.pid}`);
    await shown(tree, maker.pid);
  }
  expect([isAlive(maker.pid), isAlive(other.pid)]).toEqual([true, true]);
});

it('shows nothing of others with --discovery off', async () => {
  await using maker = await unshared(['--mount']);
  await using tree = await mounted('--discovery', 'off');
  await tree.ok('mkdir web; sleep 0.5');
  expect(await tree.ok('ls')).toBe('web');
  expect(isAlive(maker.pid)).toBe(true);
});
