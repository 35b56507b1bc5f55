import { readdir } from 'node:fs/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { mounted, type Mounted } from '../support/mounted.ts';
import { usersOf, type TreeUser, type TreeUsers } from '../support/tree-users.ts';

const CONTAINERS = 6;
const DEPTH = 3;
/** Threads of the program that asks count too. */
const PROCESSES = 50;
const EVENTS = 2;
const FILES = 4;

let tree: Mounted;
let made: TreeUsers;
let alice: TreeUser;
let bob: TreeUser;
beforeAll(async () => {
  const limits = `containers=${CONTAINERS},depth=${DEPTH},processes=${PROCESSES},events=${EVENTS},files=${FILES}`;
  tree = await mounted('--user-limits', limits);
  made = await usersOf(tree, 2, { commands: true });
  [alice, bob] = made.users as [TreeUser, TreeUser];
  for (const { name } of made.users) await tree.ok(`mkdir ${name} && chown ${name}: ${name}`);
});
afterAll(async () => {
  await tree[Symbol.asyncDispose]();
  await made[Symbol.asyncDispose]();
});

async function overdrawn(user: TreeUser, script: string, directory: string): Promise<string> {
  const { status, stderr } = await user.sh(script);
  expect(status, script).not.toBe(0);
  expect(stderr).toContain('Disk quota exceeded');
  return await user.ok(`cat ${directory}/.error; rm -f ${directory}/.error`);
}

it('gives a user so many containers, all his ids together, and others theirs', async () => {
  const { name } = alice;
  for (let number = 2; number < CONTAINERS; number++) await alice.ok(`mkdir ${name}/c${number}`);
  // One of a subordinate id, made outside of the tree's own user namespaces.
  await alice.ok(`chmod 777 ${name}`);
  const first = /(\d+):\d+$/.exec(await tree.ok(`grep ^${name}: /etc/subuid`))?.[1] ?? '';
  const asSubordinate = `setpriv --reuid=${first} --regid=${first} --clear-groups`;
  await tree.ok(`${asSubordinate} mkdir ${name}/sub`);
  expect(await overdrawn(alice, `mkdir ${name}/more`, name)).toMatch(
    /^EDQUOT: Cannot make "more": .* has 6 containers/,
  );
  expect((await tree.sh(`${asSubordinate} mkdir ${name}/more`)).stderr).toContain('Disk quota exceeded');
  await bob.ok(`mkdir ${bob.name}/his; rmdir ${bob.name}/his`);
  await tree.ok(`mkdir ${name}/roots; rmdir ${name}/roots`);
  await alice.ok(`rm -r ${name}/c2; mkdir ${name}/more`);
  await alice.ok(`rm -rf ${name}/*`);
});

it('lets a user’s containers be so deep, made or moved', async () => {
  const { name } = bob;
  await bob.ok(`mkdir -p ${name}/a/b ${name}/c`);
  expect(await overdrawn(bob, `mkdir ${name}/a/b/d`, `${name}/a/b`)).toMatch(/^EDQUOT: Cannot make "d": .*3 levels/);
  expect(await overdrawn(bob, `mv ${name}/a ${name}/c/`, `${name}/a`)).toMatch(/^EDQUOT: Cannot rename .*3 levels/);
  await tree.ok(`mkdir ${name}/a/b/roots && rmdir ${name}/a/b/roots`);
  await bob.ok(`mv ${name}/c ${name}/a/ && rm -rf ${name}/a`);
});

it('has the containers of a user who has so many processes make no more, and start no other', async () => {
  const { name } = alice;
  const loop = `i=0; while [ $i -lt ${2 * PROCESSES} ]; do sleep 0.01; sleep 1000 & i=$((i+1)); done`;
  await alice.ok(`nsdir run -d ${name}/w -- sh -c '(${loop}); exec sleep 1000'`);
  // The loop ended at a fork that was refused, and the process that was refused it is gone.
  const names = `cat $(sed 's|^|/proc/|; s|$|/comm|' ${name}/w/.procs) 2> /dev/null`;
  await tree.ok(
    `until all=$(${names}); echo "$all" | grep -q sleep && ! echo "$all" | grep -qx sh; do sleep 0.05; done`,
  );
  expect(await tree.ok(`wc -l < ${name}/w/.procs`)).toBe(String(PROCESSES - 1));
  await alice.ok(`mkdir ${name}/x`);
  expect(await overdrawn(alice, `/bin/echo running > ${name}/x/.state`, `${name}/x`)).toMatch(
    /^EDQUOT: .*more processes than the 50/,
  );
  expect((await readdir(tree.instance.stateDir)).filter((file) => /^\d+\./.test(file))).toHaveLength(2);
  await bob.ok(`mkdir ${bob.name}/x; echo running > ${bob.name}/x/.state; rm -rf ${bob.name}/x`);
  await alice.ok(`rm -rf ${name}/w; echo running > ${name}/x/.state; rm -rf ${name}/x`);
});

it('lets a user have so many event streams open, and root any number', async () => {
  const { name } = alice;
  await alice.ok(`mkdir ${name}/e; echo running > ${name}/e/.state`);
  const open = `exec 5< ${name}/e/.events 6< .events`;
  expect(await overdrawn(alice, `${open}; cat ${name}/e/.events`, `${name}/e`)).toMatch(
    /^EDQUOT: Cannot open .events: .* has 2 open already/,
  );
  await alice.ok(`${open} 5<&-; cat ${name}/e/.events`);
  await bob.ok(`cat .events`);
  await tree.ok(`${open} 7< .events 8< .events; cat .events`);
});

it('lets a user have so many control files open, read or written, and others theirs', async () => {
  const { name, home } = alice;
  await alice.ok(`mkdir ${name}/f; echo running > ${name}/f/.state`);
  const open = `exec 3> ${name}/f/.signal 4> ${name}/f/.signal 5< ${name}/f/.procs 6< .stat`;
  for (const another of [`/bin/echo 0 > ${name}/f/.signal`, `cat ${name}/f/.procs`]) {
    expect(await overdrawn(alice, `${open}; ${another}`, `${name}/f`)).toMatch(
      /^EDQUOT: Cannot open \.(signal|procs): .* has 4 control files open already/,
    );
  }
  const untilDone = `: > ${home}/held; until [ -e ${home}/done ]; do sleep 0.05; done`;
  const holds = alice.ok(`${open}; ${untilDone}; exec 3>&-; cat ${name}/f/.procs`);
  await tree.ok(`until [ -e ${home}/held ]; do sleep 0.05; done`);
  await bob.ok(
    `mkdir ${bob.name}/f; echo running > ${bob.name}/f/.state; cat ${bob.name}/f/.procs; rm -rf ${bob.name}/f`,
  );
  await tree.ok(`exec 3< .stat 4< .stat 5< .stat 6< .stat 7< .stat; cat ${name}/f/.procs; : > ${home}/done`);
  expect(await holds).not.toBe('');
  await alice.ok(`rm -rf ${name}/f`);
});

it('is told of a limit that makes no sense', async () => {
  for (const list of ['containers', 'bytes=3', 'depth=0', 'depth=-1', '']) {
    expect((await tree.nsdir('mount', '--user-limits', list, '/nonesuch')).stderr).toMatch(
      /--user-limits is a list of/,
    );
  }
});
