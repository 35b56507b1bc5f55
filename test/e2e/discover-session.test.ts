import { once } from 'node:events';
import { mkdirSync, readFileSync, rmdirSync } from 'node:fs';
import path from 'node:path';
import { expect, it } from 'vitest';
import { discovering, making, OWN_PID, shown, unshared, type Maker } from '../support/found.ts';
import { cgroup2MountPoint, eventually } from '../support/mounted.ts';

/** A directory of the cgroup hierarchy, and how a shell goes there. */
function cgroup(name: string) {
  const directory = path.join(cgroup2MountPoint(), `nsdir-test-${name}-${process.pid}`);
  mkdirSync(directory);
  return {
    enter: `echo $$ > ${directory}/cgroup.procs`,
    async [Symbol.asyncDispose]() {
      await eventually(() => isEmpty(directory), `${directory} is empty`);
      rmdirSync(directory);
    },
  };
}

function isEmpty(directory: string): boolean {
  return readFileSync(path.join(directory, 'cgroup.procs'), 'utf8') === '';
}

/** Namespaces that are made after `enter`, by a shell that ends then. */
async function leftBehind(enter: string): Promise<Maker> {
  const child = `unshare --mount --uts sh -c '${OWN_PID.replaceAll("'", `'\\''`)}; exec sleep 1000'`;
  const maker = await making('sh', '-c', `${enter}; ${child} & wait`);
  const ended = once(maker.child, 'exit');
  maker.child.kill('SIGKILL');
  await ended;
  return maker;
}

it('takes what was left behind in a session for nobody’s, and in a container’s own cgroup for that container’s', async () => {
  await using session = cgroup('session');
  await using own = cgroup('own');
  await using _shell = await making('sh', '-c', `echo $$; ${session.enter}; exec sleep 1000`);
  await using inSession = await unshared(['--mount'], `${session.enter}; exec sleep 1000`);
  await using inOwn = await unshared(['--mount'], `${own.enter}; exec sleep 1000`);
  await using ofSession = await leftBehind(session.enter);
  await using ofOwn = await leftBehind(own.enter);
  await using tree = await discovering();
  const above = async ({ pid }: Maker) => path.dirname(await shown(tree, pid));
  expect([await above(inSession), await above(inOwn), await above(ofSession)]).toEqual(['.', '.', '.']);
  expect(await above(ofOwn)).toBe(await shown(tree, inOwn.pid));
});
