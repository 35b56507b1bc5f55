import { appendFileSync, existsSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';
import { execa } from 'execa';
import { expect, it } from 'vitest';
import { counting, countingIn, eachWithTree, nothingHeld, wentOn, type Scratch } from '../support/checkpoints.ts';
import { detached } from '../support/containers.ts';
import { eventually, NSDIR, type Mounted } from '../support/mounted.ts';

let tree: Mounted;
let disk: Scratch;
eachWithTree((mount, directory) => {
  [tree, disk] = [mount, directory];
});

it.each(['web.tar.zst', 'web.tgz', 'web.tbz', 'web.tar.xz', 'web.tar'])(
  'saves in %s what nsdir restore and tar make a container of',
  async (name) => {
    const counter = await counting(tree, 'web', disk.at('count'));
    const saved = await tree.nsdir('checkpoint', 'web', disk.at(name));
    expect(saved).toEqual({ status: 0, stdout: '', stderr: '' });
    await tree.ok('rm -rf web');
    const before = counter.last();
    expect(await tree.nsdir('restore', disk.at(name), 'home')).toEqual({ status: 0, stdout: '', stderr: '' });
    await counter.beyond(before);
    wentOn(counter.numbers(), 1);
    await tree.ok('rm -rf home');
    await nothingHeld(tree);

    await tree.ok(`tar xf ${disk.at(name)}`);
    expect(await tree.ok('cat web/.state')).toBe('running');
    await countingIn(disk.at('count')).beyond(counter.last() + 1);
  },
);

it('saves what runs, by whatever tool, also right after entries of it were removed', async () => {
  const counter = await counting(tree, 'web', disk.at('count'));
  await tree.ok('rm web/.stat web/.events');
  // Also where the kernel knows the listing without it.
  await tree.ok('ls -A web; ls -A web');
  await tree.ok(`tar cf ${disk.at('tar.tar')} web`);
  expect(await tree.nsdir('checkpoint', 'web', disk.at('nsdir.tar'))).toMatchObject({ status: 0 });
  await tree.ok(`mv web ${disk.at('moved')}`);
  for (const saved of [
    `cat ${disk.at('tar.tar')}`,
    `cat ${disk.at('nsdir.tar')}`,
    `tar cf - -C ${disk.at('moved')} .`,
  ]) {
    expect(await tree.ok(`${saved} | tar tf -`)).toContain('.checkpoint/manifest.json');
  }
  const before = counter.last();
  await tree.ok(`mv ${disk.at('moved')} web`);
  await counter.beyond(before);
});

it('leaves neither a file nor a container where it cannot', async () => {
  await tree.nsdir('run', '-d', '--ns', 'uts,pid', 'web', '--', 'sleep', '1000');
  const saved = await tree.nsdir('checkpoint', 'web', disk.at('web.tar'));
  expect(saved.status).toBe(1);
  expect(saved.stderr).toMatch(/^nsdir checkpoint: EIO: Cannot checkpoint "web": it has no mnt namespace of its own/);
  expect(await tree.ok(`ls ${disk.dir}`)).toBe('');

  writeFileSync(disk.at('garbage.tar'), 'this is no archive');
  const restored = await tree.nsdir('restore', disk.at('garbage.tar'), 'home');
  expect(restored.status).toBe(1);
  expect(restored.stderr).toContain('does not look like a tar archive');
  expect(await tree.ok('ls')).toBe('web');
  expect((await tree.nsdir('restore', disk.at('nosuch.tar'), 'home')).status).toBe(1);
  expect((await tree.nsdir('restore', disk.at('garbage.tar'), 'web')).stderr).toMatch(
    /web is there already: give another name, or remove it first: rm -rf \S+\/web$/,
  );
});

it('goes through standard output and input, from one tree to another', async () => {
  await detached(tree, 'web', ['sleep', '1000']);
  const commands = { env: { NSDIR_MOUNT: tree.dir, NSDIR: `${process.execPath} ${NSDIR}` } };
  await tree.ok('$NSDIR checkpoint web - | $NSDIR restore - twin', commands);
  expect(await tree.ok('cat web/.state twin/.state')).toBe('running\nrunning');
});

it('says of an archive that ends too early that it is cut short, and leaves no container', async () => {
  await detached(tree, 'web', ['sleep', '1000']);
  for (const name of ['web.tar', 'web.tar.gz', 'web.tar.zst', 'web.tbz', 'web.tar.xz']) {
    await tree.nsdir('checkpoint', 'web', disk.at(name));
    truncateSync(disk.at(name), Math.floor(statSync(disk.at(name)).size / 2));
    expect(await tree.nsdir('restore', disk.at(name), 'home')).toEqual({
      status: 1,
      stdout: '',
      stderr: `nsdir restore: ${disk.at(name)} is cut short: the end of the archive is missing`,
    });
  }
  expect(await tree.ok('ls')).toBe('web');
});

it('leaves nothing when it is interrupted', async () => {
  await detached(tree, 'web', ['sleep', '1000']);
  const begun = disk.at('bin/begun');
  const slow = `mkdir bin; printf '#!/bin/sh\n: > ${begun}; exec sleep 1000\n' > bin/gzip; chmod +x bin/gzip`;
  await execa('sh', ['-c', slow], { cwd: disk.dir });
  await tree.nsdir('checkpoint', 'web', disk.at('done.tar.gz'));
  const interrupted = async (...words: string[]) => {
    const child = execa(process.execPath, [NSDIR, ...words], {
      ...{ reject: false, stdin: 'ignore' },
      env: { NSDIR_MOUNT: tree.dir, PATH: `${disk.at('bin')}:${process.env['PATH'] ?? ''}` },
    });
    await eventually(() => existsSync(begun), 'it is under way', 20_000);
    rmSync(begun);
    await setTimeout(1000);
    child.kill('SIGTERM');
    const { exitCode, stderr } = await child;
    return [exitCode, stderr];
  };
  const told = (command: string) => [143, `nsdir ${command}: interrupted: nothing is left of it`];
  expect(await interrupted('checkpoint', 'web', disk.at('web.tar.gz'))).toEqual(told('checkpoint'));
  expect(await interrupted('restore', disk.at('done.tar.gz'), 'home')).toEqual(told('restore'));
  expect([await tree.ok('ls'), await tree.ok(`ls ${disk.dir}`)]).toEqual(['web', 'bin\ndone.tar.gz']);
});

it('lists files that changed, and goes on with them where that is accepted', async () => {
  writeFileSync(disk.at('read'), 'abc');
  await detached(tree, 'web', ['sh', '-c', 'exec 5<"$1"; sleep 1000', 'sh', disk.at('read')]);
  await expect.poll(() => tree.ok('wc -l < web/.procs')).toBe('3');
  await tree.ok('mkdir web/job');
  await detached(tree, 'web/job', ['sleep', '1000']);
  await tree.nsdir('checkpoint', 'web', disk.at('web.tar.zst'));
  await tree.ok('rm -rf web');
  appendFileSync(disk.at('read'), 'def');

  const refused = await tree.nsdir('restore', disk.at('web.tar.zst'), 'web');
  expect(refused.status).toBe(1);
  expect(refused.stderr).toContain(`these files are not as it left them: ${disk.at('read')} (6 bytes, were 3)`);
  expect(await tree.ok('ls')).toBe('');

  const accepted = await tree.nsdir('restore', '--accept-changed-files', disk.at('web.tar.zst'), 'web');
  expect(accepted).toEqual({ status: 0, stdout: '', stderr: '' });
  expect(await tree.ok('cat web/.state web/job/.state')).toBe('running\nrunning');
});
