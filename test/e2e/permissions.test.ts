import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { mounted, type Mounted } from '../support/mounted.ts';
import { ENTRY_PERMISSIONS, OPERATION_PERMISSIONS } from '../support/permissions.ts';
import { usersOf, type TreeUser, type TreeUsers } from '../support/tree-users.ts';

/** Given as a text: users cannot read this checkout. */
const CLIENT = readFileSync(new URL('../support/permission-client.py', import.meta.url), 'utf8');

const ATTEMPTS = Object.entries({ ...OPERATION_PERMISSIONS, ...ENTRY_PERMISSIONS }).flatMap(([what, rows]) =>
  typeof rows === 'string' ? [] : rows.map((row) => ({ what, ...row })),
);

let tree: Mounted;
let made: TreeUsers;
beforeAll(async () => {
  tree = await mounted();
  made = await usersOf(tree, 2);
  for (const { name } of made.users) await tree.ok(`mkdir ${name} && chown ${name}: ${name}`);
});
afterAll(async () => {
  await tree[Symbol.asyncDispose]();
  await made[Symbol.asyncDispose]();
});

/** The one process of a user: asked a line, it answers one. */
function client({ name }: TreeUser, other: TreeUser) {
  const as = [`--reuid=${name}`, `--regid=${name}`, '--init-groups', 'env', '-i', 'PATH=/usr/bin:/bin'];
  const args = [...as, 'python3', '-c', CLIENT, name, other.name, String(process.pid)];
  const child = spawn('setpriv', args, { cwd: tree.dir, stdio: ['pipe', 'pipe', 'inherit'] });
  const answers = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const ask = async (line: string) => {
    child.stdin.write(`${line}\n`);
    return JSON.parse(((await answers.next()) as { value: string }).value) as unknown;
  };
  child.stdin.write(`${JSON.stringify(ATTEMPTS)}\n`);
  return { ask, end: () => child.stdin.end() };
}

it('gives two ordinary users against each other what the table says, in every operation and entry', async () => {
  const [alice, bob] = made.users as [TreeUser, TreeUser];
  const clients = [client(alice, bob), client(bob, alice)] as const;
  try {
    const [hers, his] = await Promise.all(clients.map(({ ask }) => ask('prepare')));
    const others = await Promise.all([clients[0].ask(`other ${String(his)}`), clients[1].ask(`other ${String(hers)}`)]);
    const own = await Promise.all(clients.map(({ ask }) => ask('own')));
    const told = (verdicts: unknown) =>
      ATTEMPTS.map(
        ({ what, does, mode = 0o755 }, at) =>
          `${what} ${mode.toString(8)} ${does}: ${(verdicts as string[])[at] ?? ''}`,
      );
    for (const verdicts of others) expect(told(verdicts)).toEqual(told(ATTEMPTS.map(({ other }) => other)));
    for (const verdicts of own) expect(told(verdicts)).toEqual(told(ATTEMPTS.map(({ owner }) => owner)));
  } finally {
    for (const { end } of clients) end();
  }
});

it('tells a user of no event in a directory that he may not list', async () => {
  const [alice, bob] = made.users as [TreeUser, TreeUser];
  await alice.ok(`mkdir ${alice.name}/closed ${alice.name}/shown; chmod 700 ${alice.name}/closed`);
  await alice.ok(`mkdir ${alice.name}/closed/secret ${alice.name}/shown/known`);
  expect(await alice.ok(`grep -c '/secret$\\|/known$' .events`)).toBe('2');
  expect(await bob.ok(`grep -o '[a-z]*/known$\\|secret' .events; [ $(stat -c %s .events) = $(wc -c < .events) ]`)).toBe(
    'shown/known',
  );
});
