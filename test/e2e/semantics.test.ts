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
