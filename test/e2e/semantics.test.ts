import { describe, expect, it } from 'vitest';
import { criuIsMissing } from '../support/checkpoints.ts';
import { differences, examplesIn, runExample, type Example, type Session } from '../support/examples.ts';
import { discovering } from '../support/found.ts';
import { limitInCode, limitsIn } from '../support/limits.ts';
import { mounted } from '../support/mounted.ts';

/** Examples of checkpoints, which CRIU makes. */
const missing = await criuIsMissing();
const savesProcesses = ({ steps }: Example) =>
  steps.some(({ command }) => command.some(({ text }) => /checkpoint|nsdir-example\.\$\$|tar cj/.test(text)));

const DOCUMENTS = ['README.md', 'docs/semantics.md'];

describe.each(DOCUMENTS)('%s says what happens', (document) => {
  for (const example of examplesIn(document)) {
    it(`${document}:${example.line}: ${example.says}`, async ({ skip }) => {
      skip(missing !== undefined && savesProcesses(example), missing);
      await using tree = await (example.chapter.includes('Discovery') ? discovering() : mounted());
      const session = await runExample(example, tree);
      expect(differences(example, session).join('\n')).toBe('');
      for (const altered of alterations(example, session)) {
        expect(differences(example, altered), 'an example that cannot fail shows nothing').not.toEqual([]);
      }
    });
  }
});

/**
 * What fuse-native cannot know or do, as section 23 of the document says: a command of the example, and why. All other
 * examples hold for both adapters.
 */
const OTHERWISE = [
  { command: "stat -c '%i %n' . web", why: 'inode numbers have 32 bits' },
  { command: 'head -n 1 /namespaces/.procs', why: "the reader's pid namespace is not known" },
  { command: 'readlink /namespaces/.self', why: 'the caller is not known' },
  { command: 'renameat2', why: 'flags of a rename are not passed on' },
  { command: '--reuid 65534', why: 'only who mounted may look in' },
  { command: 'exec 5< web/.events', why: 'open files end with the daemon' },
  { command: '{ rm -rf web; cut', why: 'open files are found by their names' },
  { command: 'cd /; nsdir umount', why: 'the kernel keeps no attributes' },
  { command: 'tar cjf', why: 'archivers are not known' },
  { command: 'tar cf /dev/zero web', why: 'archivers are not known' },
  { command: 'mv web /tmp/nsdir-example', why: 'archivers are not known' },
  { command: 'cp -a web /tmp/nsdir-example', why: 'archivers are not known' },
  { command: 'tar cf - --exclude=.checkpoint web', why: 'root does not read .signal' },
  { command: 'nsdir checkpoint web /tmp/nsdir-example', why: 'root does not read .signal' },
  { command: 'tar cf $bundle/web.tar web', why: 'archivers are not known' },
] as const;

function reasonFor({ steps }: Example): string | undefined {
  const typed = steps.flatMap(({ command }) => command.map(({ text }) => text)).join('\n');
  return OTHERWISE.find(({ command }) => typed.includes(command))?.why;
}

describe('docs/semantics.md says what happens through fuse-native, unless it says otherwise', () => {
  for (const example of examplesIn('docs/semantics.md')) {
    if (reasonFor(example) !== undefined) continue;
    it(`${example.line}: ${example.says}`, async ({ skip }) => {
      skip(missing !== undefined && savesProcesses(example), missing);
      const native = ['--adapter', 'fuse-native'];
      const isDiscovery = example.chapter.includes('Discovery');
      await using tree = await (isDiscovery ? discovering('on', ...native) : mounted(...native));
      const session = await runExample(example, tree);
      expect(differences(example, session).join('\n')).toBe('');
    });
  }

  it.each(OTHERWISE)('has an example with $command, for which it is otherwise: $why', ({ command }) => {
    const typed = examplesIn('docs/semantics.md').flatMap(({ steps }) => steps.flatMap((step) => step.command));
    expect(typed.some(({ text }) => text.includes(command))).toBe(true);
  });
});

/** Sessions that printed something else: each line in turn changed, left out, and one more after each step. */
function* alterations({ steps }: Example, session: Session): Generator<Session> {
  for (const [index] of steps.entries()) {
    const lines = session[index] ?? [];
    yield session.with(index, [...lines, 'one more line']);
    for (const [row] of lines.entries()) {
      yield session.with(index, lines.with(row, `another ${lines[row] ?? ''}`));
      yield session.with(index, lines.toSpliced(row, 1));
    }
  }
}

describe('the table of limits', () => {
  it.each(limitsIn('docs/semantics.md'))('says of $name what $file says', ({ name, file, number }) => {
    expect(limitInCode(name, file)).toBe(number);
  });
});
