import { expect, it } from 'vitest';
import { execa } from 'execa';
import { eventually, mounted, NSDIR } from '../support/mounted.ts';
import { procsOf } from '../support/containers.ts';

it('takes no descriptor of the caller’s into a container but standard input, output and error', async () => {
  await using tree = await mounted();
  await tree.ok('mkdir web; echo running > web/.state');
  // Of a low number Node passes none on.
  const enter = [process.execPath, NSDIR, 'enter', 'web', '--', 'sh', '-c', 'ls /proc/$$/fd; exec sleep 1000'];
  const entered = execa('bash', ['-c', 'exec 200</etc/hostname; exec "$@"', 'bash', ...enter], {
    env: { NSDIR_MOUNT: tree.dir },
    reject: false,
    timeout: 20_000,
    killSignal: 'SIGKILL',
  });
  const commands = async () => await tree.ok(`sed 's|.*|/proc/&/comm|' web/.procs | xargs cat`);
  await eventually(async () => (await commands()).includes('sleep'), 'the command runs');
  const inside = await procsOf(tree, 'web'); // the helper too
  expect(inside).toHaveLength(3);
  expect(await tree.ok(inside.map((pid) => `ls -l /proc/${pid}/fd`).join(';'))).not.toContain('/etc/hostname');
  await tree.ok('rm -r web');
  expect((await entered).stdout).toBe('0\n1\n2');
});
