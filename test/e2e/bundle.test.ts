import { readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { bundle, byRuntime, COUNTS, RUNTIMES, type Bundle, type RuntimeName } from '../support/bundles.ts';
import { cgroupsOf, initOf, namespace, nothingLeft, procsOf } from '../support/containers.ts';
import { eventually, mounted, type Mounted } from '../support/mounted.ts';

let tree: Mounted;
const bundles: Bundle[] = [];
/** Of both runtimes, the first that there is if none is named. */
const mount = (runtime?: RuntimeName) => async () => {
  const only = runtime && byRuntime(runtime);
  tree = await mounted();
  return async () => {
    await tree[Symbol.asyncDispose]();
    for (const each of bundles.splice(0)) each[Symbol.dispose]();
    only?.[Symbol.dispose]();
  };
};

function withProgram(script: string): Bundle {
  const made = bundle(script);
  bundles.push(made);
  return made;
}

/** A container `web` that runs a bundle with this program. */
async function running(script: string): Promise<Bundle> {
  const made = withProgram(script);
  await tree.ok(`mkdir -p web; ln -s ${made.dir} web/.bundle; echo running > web/.state`);
  return made;
}

const state = () => tree.ok('cat web/.state');
const error = () => tree.ok('cat web/.error');
const refused = async (command: string) => {
  expect((await tree.sh(command)).status).not.toBe(0);
  return await error();
};
const commandOf = (pid: number) => readFileSync(`/proc/${pid}/cmdline`, 'utf8');

describe.each(RUNTIMES)('a container that is started from a bundle by %s', (runtime) => {
  beforeEach(mount(runtime));

  it('has the bundle’s process 1 as its init, and that one’s processes and namespaces as its own', async () => {
    await running('sleep 1000 & wait');
    await eventually(async () => (await procsOf(tree, 'web')).length === 2, 'it runs');
    const init = await initOf(tree, 'web');
    expect(commandOf(init)).toMatch(/^sh\0-c\0sleep 1000/);
    expect(await procsOf(tree, 'web')).toContain(init);
    expect(cgroupsOf(tree)).toEqual(['1']);
    expect(
      readdirSync(`${tree.cgroup()}/1`, { withFileTypes: true })
        .filter((entry) => entry.isDirectory())
        .map(({ name }) => name),
    ).toEqual(['own']);
    for (const kind of ['pid', 'net', 'uts', 'mnt', 'cgroup']) {
      expect(namespace(init, kind)).not.toBe(namespace('self', kind));
      expect(await tree.ok(`grep '^${kind} ' web/.nsproxy | cut -d ' ' -f 5`)).toBe('1');
    }
    expect(await tree.ok('grep "^user " web/.nsproxy | cut -d " " -f 5')).toBe('0');
  });

  it('says what it says to nsdir logs, and how it ended in .exit; it starts anew', async () => {
    await running('echo hello; echo sorry >&2; exit 7');
    await eventually(async () => (await state()) === 'stopped', 'it has ended');
    expect(await tree.ok('cat web/.exit')).toBe('7');
    expect((await tree.nsdir('logs', 'web')).stdout).toBe('hello\nsorry');
    await nothingLeft(tree);
    await tree.ok('echo running > web/.state');
    await eventually(
      async () => (await tree.nsdir('logs', 'web')).stdout === 'hello\nsorry\nhello\nsorry',
      'it ran again',
    );
  });

  it('stands still, goes on and has another name, as any other', async () => {
    const { counter } = await running(COUNTS);
    await counter.beyond(3);
    await tree.ok('echo frozen > web/.state');
    const before = counter.last();
    await new Promise((resolve) => setTimeout(resolve, 150));
    expect(counter.last()).toBe(before);
    await tree.ok('mv web home; echo running > home/.state');
    await counter.beyond(before + 3);
    await tree.ok('rm -rf home');
    await nothingLeft(tree);
  });

  it('gets signals, its init included, which is no program of ours', async () => {
    await running('trap "exit 9" TERM; while :; do sleep 0.02; done');
    await eventually(async () => (await procsOf(tree, 'web')).length >= 2, 'it runs');
    await tree.ok('echo TERM > web/.signal');
    await eventually(async () => (await state()) === 'stopped', 'it has ended');
    expect(await tree.ok('cat web/.exit')).toBe('9');
  });

  it('is entered', async () => {
    await running(COUNTS);
    expect((await tree.nsdir('enter', 'web', '--', 'sh', '-c', 'hostname; ls /')).stdout).toMatch(/^bundled\n[^]*data/);
    const { status, stderr } = await tree.nsdir('run', 'web', '--', 'true');
    expect(status).toBe(125);
    expect(stderr).toMatch(/is started from the bundle .*; nsdir enter runs a command in it$/);
  });

  it('dies of rm -rf with all that it forks, and its hooks are run', async () => {
    const made = withProgram('while :; do sleep 1000 & sleep 0.01; done');
    const hook = { path: '/usr/bin/touch', args: ['touch', path.join(made.data, 'over')] };
    made.configure((config) => ({ ...config, hooks: { poststop: [hook] } }));
    await tree.ok(`mkdir web; ln -s ${made.dir} web/.bundle; echo running > web/.state; sleep 0.2; rm -rf web`);
    await nothingLeft(tree);
    expect(readdirSync(made.data)).toEqual(['over']);
    expect(readdirSync(path.join(tree.instance.runDir, 'bundles'))).toEqual([]);
  });
});

describe('.bundle', () => {
  beforeEach(mount());

  it('is a link, that can be read, replaced and taken away while nothing runs', async () => {
    await tree.ok('mkdir web; ln -s /srv/one web/.bundle');
    expect(await tree.ok('readlink web/.bundle; ls -lA web')).toMatch(/^\/srv\/one\n[^]*\.bundle -> \/srv\/one$/);
    expect((await tree.sh('ln -s /srv/two web/.bundle')).stderr).toContain('File exists');
    await tree.ok('ln -sfn /srv/two web/.bundle');
    expect(await tree.ok('readlink web/.bundle; ls -A web')).toBe('/srv/two\n.bundle');
    await tree.ok('busybox ln -sfn ../../srv/three web/.bundle');
    await tree.killDaemon();
    expect(await tree.ok('readlink web/.bundle')).toBe('../../srv/three');
    expect((await tree.sh('rmdir web')).stderr).toContain('not empty');
    await tree.ok('rm web/.bundle; rmdir web');
    await tree.ok('mkdir web; ln -s /srv/one web/.bundle; rm -rf web');
    expect(await tree.ok('ls')).toBe('');
  });

  it('is not changed while it runs, and not by anybody but the owner and root', async () => {
    await running('sleep 1000');
    expect((await tree.sh('ln -sfn /srv/two web/.bundle')).stderr).toContain('busy');
    expect(await error()).toMatch(/^EBUSY: Cannot change \.bundle of "web": it is running/);
    await tree.ok('mkdir -m 0777 open; ln -s /srv/one open/.bundle');
    for (const command of ['rm -f open/.bundle', 'ln -sfn /srv/two open/.bundle']) {
      expect((await tree.as(65534, command)).stderr).toContain('Permission denied');
    }
    await tree.ok('chmod 1777 .');
    await tree.as(65534, `mkdir mine; ln -s ${bundles[0]?.dir ?? ''} mine/.bundle`);
    expect((await tree.as(65534, 'echo running > mine/.state')).status).not.toBe(0);
    expect(await tree.ok('readlink mine/.bundle; cat mine/.error')).toMatch(/\nEPERM: Cannot start "mine"/);
  });

  it('comes and goes with archives of a container that does not run', async () => {
    await tree.ok(
      'mkdir web; ln -s /srv/one web/.bundle; tar cf /tmp/$$.tar web; rm -rf web; tar xf /tmp/$$.tar; rm /tmp/$$.tar',
    );
    expect(await tree.ok('readlink web/.bundle')).toBe('/srv/one');
    await tree.ok('cp -a web twin');
    expect(await tree.ok('readlink twin/.bundle')).toBe('/srv/one');
  });
});

describe.each([
  {
    runtime: 'runc',
    noBundle: /^EIO: Cannot start "web": runc: .*no such file/,
    noProgram: /"nosuch": executable file not found/,
    noConfig: /runc: .*json: cannot unmarshal array/,
  },
  {
    runtime: 'crun',
    noBundle: /^EIO: Cannot start "web": crun: chdir .*: No such file/,
    noProgram: /crun: executable file `nosuch` not found/,
    noConfig: /crun: .*Required field .ociVersion. not present/,
  },
] as const)(
  'what cannot be started says why in $runtime’s own words, and leaves nothing:',
  ({ runtime, noBundle, noProgram, noConfig }) => {
    beforeEach(mount(runtime));

    it('a bundle that is none', async () => {
      const made = withProgram('true');
      await tree.ok(`mkdir web; ln -s ${made.dir}/none web/.bundle`);
      expect(await refused('echo running > web/.state')).toMatch(noBundle);
      made.configure((config) => ({ ...config, process: { ...config.process, args: ['nosuch'] } }));
      await tree.ok(`ln -sfn ${made.dir} web/.bundle`);
      expect(await refused('echo running > web/.state')).toMatch(noProgram);
      made.configure(() => []);
      expect(await refused('echo running > web/.state')).toMatch(noConfig);
      await tree.ok('ln -sfn . web/.bundle');
      expect(await refused('echo running > web/.state')).toMatch(/^EINVAL: .*there is no bundle at/);
      expect(await tree.ok('ls -A web')).toBe('.bundle\n.error');
      await nothingLeft(tree);
    });
  },
);

describe('what cannot be started says why in .error, and leaves nothing:', () => {
  beforeEach(mount());
  it('namespaces that it does not name, and a place in or around what runs', async () => {
    const made = withProgram('sleep 1000');
    await tree.ok(`mkdir -p outer/web; ln -s ${made.dir} outer/web/.bundle; mv outer/web .`);
    expect(await refused('echo "running +net" > web/.state')).toMatch(/^EINVAL: .*those that its config\.json names/);
    await tree.ok('mv web outer; echo running > outer/.state');
    expect((await tree.sh('echo running > outer/web/.state')).status).not.toBe(0);
    expect(await tree.ok('cat outer/web/.error')).toMatch(/a bundle does not start in "outer" while that runs/);
    await tree.ok('echo stopped > outer/.state; echo running > outer/web/.state; mkdir outer/web/job');
    expect((await tree.sh('echo running > outer/web/job/.state')).status).not.toBe(0);
    expect(await tree.ok('cat outer/web/job/.error')).toMatch(/^EBUSY: .*"outer\/web" runs a bundle/);
  });

  it('no runtime', async () => {
    process.env['NSDIR_RUNTIME'] = '/nonesuch/runc';
    try {
      await using other = await mounted();
      await other.ok('mkdir web; ln -s /srv/one web/.bundle');
      expect((await other.sh('echo running > web/.state')).status).not.toBe(0);
      expect(await other.ok('cat web/.error')).toMatch(/^ENOENT: .*there is neither runc nor crun here/);
    } finally {
      delete process.env['NSDIR_RUNTIME'];
    }
  });

  it('keeps a link that was to replace its .bundle when that is refused', async () => {
    await tree.ok('mkdir web; echo running > web/.state; ln -s /other web/CuAbCdEf');
    const { stderr } = await tree.sh('mv -T web/CuAbCdEf web/.bundle');
    expect(stderr).toMatch(/Device or resource busy/);
    expect(await tree.ok('readlink web/CuAbCdEf')).toBe('/other');
  });
});
