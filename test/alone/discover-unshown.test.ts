import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { expect, it } from 'vitest';
import { SHOWN_PER_UID_LIMIT } from '../../src/container/found-shown.ts';
import { discovering, shown, unshared } from '../support/found.ts';
import { eventually } from '../support/mounted.ts';
import { workload } from '../support/workload.ts';

const USER = 54321;
const MORE = 3;

it('shows so many of one user, says how many are not shown, and shows others all the same', async () => {
  const [command = '', ...args] = workload('many-sets', String(USER), String(SHOWN_PER_UID_LIMIT + MORE));
  const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  const ended = once(child, 'exit');
  await once(createInterface({ input: child.stdout }), 'line');
  await using tree = await discovering();
  try {
    await eventually(async () => (await tree.ok('cat .unshown')) === String(MORE), `${MORE} are not shown`, 40_000);
    const mine = `find . -mindepth 1 -maxdepth 1 -type d -uid ${USER} | wc -l`;
    expect(await tree.ok(mine)).toBe(String(SHOWN_PER_UID_LIMIT));
    await using other = await unshared(['--uts']);
    expect(await shown(tree, other.pid)).not.toBe('');
    for (let each = 0; each < MORE; each++) child.stdin.write('one\n');
    await eventually(async () => !(await tree.ok('ls -A')).includes('.unshown'), 'all are shown');
    expect(await tree.ok(mine)).toBe(String(SHOWN_PER_UID_LIMIT));
  } finally {
    child.stdin.end();
    await ended;
  }
  await eventually(
    async () => (await tree.ok(`find . -maxdepth 1 -uid ${USER} | wc -l`)) === '0',
    'they are gone',
    30_000,
  );
});
