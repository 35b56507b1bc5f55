import { expect, it } from 'vitest';
import { okInside } from '../support/containers.ts';
import { eventually, mounted } from '../support/mounted.ts';
import { renameat2 } from '../support/renameat2.ts';

it('shows who entered what, until it ends', async () => {
  await using tree = await mounted();
  await tree.ok('mkdir web; echo running > web/.state');
  const child = tree.background('sleep', '1000');
  await tree.ok(`ln -s ${tree.dir}/web .proxy/${child.pid}`);
  expect(await tree.ok('ls -l .proxy')).toMatch(
    new RegExp(`^lrwxrwxrwx 1 root root 6 .* ${child.pid} -> \\.\\./web$`, 'm'),
  );
  expect(await tree.ok(`readlink .proxy/${child.pid}; readlink -f .proxy/${child.pid}`)).toBe(
    `../web\n${tree.dir}/web`,
  );
  expect(await tree.ok(`cat .proxy/${child.pid}/.state`)).toBe('running');
  child.kill('SIGKILL');
  await eventually(async () => (await tree.ok('ls -A .proxy')) === '', 'the entry is gone');
  expect(await tree.sh(`readlink .proxy/${child.pid}`)).toMatchObject({ status: 1 });
});

it('gives a hard link the inode of the .nsproxy it stands for, which counts its tasks', async () => {
  await using tree = await mounted();
  await tree.ok('mkdir web; echo running > web/.state');
  const before = Number(await tree.ok('stat -c %h web/.nsproxy'));
  expect(before).toBe(2);
  const { pid } = tree.background('sleep', '1000');
  await tree.ok(`ln web/.nsproxy .proxy/${pid}`);
  await eventually(async () => (await tree.ok('stat -c %h web/.nsproxy')) === '3', 'one more task');
  const [proxied, own] = (await tree.ok(`stat -c '%i %F' .proxy/${pid} web/.nsproxy`)).split('\n');
  expect(proxied).toBe(own);
  // The others are of processes that come and go.
  const read = (file: string) => tree.ok(`cut -d ' ' -f 1-3,5 ${file}`);
  expect(await read(`.proxy/${pid}`)).toBe(await read('web/.nsproxy'));
});

it('follows a renamed container', async () => {
  await using tree = await mounted();
  await tree.ok('mkdir web; echo running > web/.state');
  const { pid } = tree.background('sleep', '1000');
  await tree.ok(`ln -s ${tree.dir}/web .proxy/${pid}; mv web home`);
  expect(await tree.ok(`readlink .proxy/${pid}; ls .proxy/${pid}/ -d`)).toBe(`../home\n.proxy/${pid}/`);
});

it('lists in each container those that entered it or what is in it', async () => {
  await using tree = await mounted();
  await tree.ok('mkdir web web/job other; echo running > web/.state');
  const { pid } = tree.background('sleep', '1000');
  await tree.ok(`ln -s ${tree.dir}/web/job .proxy/${pid}`);
  expect(await tree.ok('ls .proxy; ls web/.proxy web/job/.proxy other/.proxy')).toBe(
    `${pid}\nother/.proxy:\n\nweb/.proxy:\n${pid}\n\nweb/job/.proxy:\n${pid}`,
  );
  expect(await tree.ok(`readlink web/.proxy/${pid} web/job/.proxy/${pid}`)).toBe('../job\n..');
});

it.each(['the same daemon', 'the next daemon'])(
  'lists who entered where nobody was listed before, by %s',
  async (which) => {
    await using tree = await mounted();
    await tree.ok('mkdir web web/job; echo running > web/job/.state');
    const list = () => tree.ok('ls .proxy web/.proxy web/job/.proxy');
    const nobody = '.proxy:\n\nweb/.proxy:\n\nweb/job/.proxy:';
    expect([await list(), await list()]).toEqual([nobody, nobody]);
    if (which === 'the next daemon') await tree.killDaemon();
    for (const each of [1, 2]) {
      const { pid } = tree.background('sleep', '1000');
      await tree.ok(`echo ${pid} > web/job/.procs`);
      const pids = (await tree.ok('ls web/job/.proxy')).split('\n');
      expect(pids).toContain(String(pid));
      expect(pids).toHaveLength(each);
      expect(await list()).toBe(
        ['.proxy:', ...pids, '', 'web/.proxy:', ...pids, '', 'web/job/.proxy:', ...pids].join('\n'),
      );
    }
  },
);

it('is listed in the root only, and cannot be removed', async () => {
  await using tree = await mounted();
  await tree.ok('mkdir web');
  expect(await tree.ok('ls -A . web; stat -c %A .proxy web/.proxy')).toContain('.proxy');
  expect(await tree.ok('ls -A web')).toBe('');
  expect(await tree.sh('rmdir .proxy')).toMatchObject({ status: 1, stderr: expect.stringContaining('busy') as string });
  expect(await tree.ok('rmdir web; ls')).toBe('');
});

it('shows a reader inside only what he has a pid for', async () => {
  await using tree = await mounted();
  await tree.ok('mkdir web; echo running > web/.state');
  const { pid } = tree.background('sleep', '1000');
  await tree.ok(`ln -s ${tree.dir}/web .proxy/${pid}`);
  expect(await okInside(tree, 'web', `ls -A ${tree.dir}/.proxy`)).toBe('');
  expect(await tree.ok('ls .proxy')).toBe(String(pid));
});

it("keeps a link that has no process's name yet, and forgets it when told", async () => {
  await using tree = await mounted();
  await tree.ok(`mkdir web; ln -s ${tree.dir}/web .proxy/later`);
  expect(await tree.ok('ls .proxy; readlink .proxy/later; rm .proxy/later; ls .proxy')).toBe(`later\n${tree.dir}/web`);
  expect(await tree.sh('touch .proxy/file')).toMatchObject({ status: 1 });
  expect(await tree.sh('mkdir .proxy/directory')).toMatchObject({ status: 1 });
});

it('keeps the number of a link that gets another name, which open directories know it by', async () => {
  await using tree = await mounted();
  await tree.ok(`mkdir web; ln -s ${tree.dir}/web .proxy/later`);
  const before = await tree.ok('stat -c %i .proxy/later');
  const opened = `import os
fd = os.open('.proxy/later', os.O_PATH | os.O_NOFOLLOW)
os.rename('.proxy/later', '.proxy/soon')
print(os.readlink('', dir_fd=fd), os.stat('.proxy/soon', follow_symlinks=False).st_ino)`;
  expect(await tree.ok('exec python3 -', { stdin: 'pipe', input: opened })).toBe(`${tree.dir}/web ${before}`);
  expect(await tree.ok('ls .proxy')).toBe('soon');
});

it('replaces nothing in .proxy where that is not wanted', async () => {
  await using tree = await mounted();
  await tree.ok(`mkdir web other; echo running > web/.state; cd .proxy; ln -s ../web one; ln -s ../other two`);
  const { pid } = tree.background('sleep', '1000');
  await tree.ok(`ln -s ../web .proxy/${pid}`);
  for (const name of ['two', String(pid)]) {
    expect(await renameat2(tree, '.proxy/one', `.proxy/${name}`, 'NOREPLACE')).toMatchObject({ stderr: 'File exists' });
  }
  expect(await tree.ok('readlink .proxy/two .proxy/one')).toBe('../other\n../web');
  expect(await renameat2(tree, '.proxy/one', '.proxy/three', 'NOREPLACE')).toMatchObject({ status: 0 });
  expect(await tree.ok('mv -T .proxy/three .proxy/two; readlink .proxy/two')).toBe('../web');
});

it('knows after a restart who entered', async () => {
  await using tree = await mounted();
  await tree.ok('mkdir web; echo running > web/.state');
  const { pid } = tree.background('sleep', '1000');
  await tree.ok(`ln -s ${tree.dir}/web .proxy/${pid}`);
  await tree.killDaemon();
  expect(await tree.ok(`ls .proxy; readlink .proxy/${pid}`)).toBe(`${pid}\n../web`);
});
