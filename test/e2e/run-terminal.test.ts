import { expect, it } from 'vitest';
import { mounted, NSDIR, type Mounted } from '../support/mounted.ts';

const TERMINAL = new URL('../support/terminal.py', import.meta.url).pathname;

async function onTerminal(tree: Mounted, lines: string[], command: string): Promise<string> {
  const run = `NSDIR_MOUNT=${tree.dir} exec python3 ${TERMINAL} '${JSON.stringify(lines)}' ${command}`;
  return await tree.ok(run.replaceAll('NSDIR ', `${process.execPath} ${NSDIR} `));
}

it('ends by ^C all that the command does, as without it, not the command alone', async () => {
  await using tree = await mounted();
  const shown = await onTerminal(
    tree,
    ['\u0003|after'],
    `NSDIR run web -- sh -c 'trap "echo caught" INT; sleep 1000; echo after'`,
  );
  expect(shown).toContain('caught\r\nafter');
  expect(shown).toContain('status 0');
});

it('stops by ^Z all that the command does, and goes on with fg', async () => {
  await using tree = await mounted();
  const states = 'for each in $(cat web/.procs); do sed -n "s/^State:.//p" /proc/$each/status; done';
  // A process stops when it has its turn; bash hears of the first.
  const untilBoth = `for try in $(seq 100); do case $(${states}) in *T*T*) break; esac; sleep 0.1; done`;
  const shown = await onTerminal(
    tree,
    [
      `NSDIR run web -- sh -c "sleep 1000 & echo let us go; wait"|us go\r`,
      '\u001a|Stopped',
      `${untilBoth}; ${states}; echo that was all|was all\r`,
      'fg|sleep 1000',
      // A pause: bash shows the command, and then hands the terminal over; ^C in between would be its own.
      'RESIZE 33 77',
      '\u0003|$ ',
      'echo status=$?; exit|status=',
    ],
    `env PS1='$ ' bash --norc --noprofile -i`,
  );
  const [, between = ''] = /was all\n?([\s\S]*)was all\r/.exec(shown) ?? [];
  expect(between.match(/T \(stopped\)/g)).toHaveLength(2);
  expect(shown).toContain('status=130');
});
