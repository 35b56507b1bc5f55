import { expect, it } from 'vitest';
import { execa } from 'execa';
import { mounted, NSDIR } from '../support/mounted.ts';

it('takes no descriptor of the caller’s along but standard input, output and error', async () => {
  await using tree = await mounted();
  await tree.ok('mkdir web; echo running > web/.state');
  const enter = (...command: string[]) =>
    execa('sh', ['-c', 'exec 7</etc/hostname; exec "$@"', 'sh', process.execPath, NSDIR, 'enter', 'web', '--', ...command], {
      env: { NSDIR_MOUNT: tree.dir },
      timeout: 20_000,
      killSignal: 'SIGKILL',
    });
  const inside = 'ls /proc/$$/fd | xargs; tr "\\0" " " < /proc/$PPID/cmdline; ls -l /proc/$PPID/fd';
  const { stdout } = await enter('sh', '-c', inside);
  expect(stdout).toMatch(/^0 1 2\n/);
  expect(stdout).not.toContain('hostname');
});
