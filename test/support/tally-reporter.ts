import { appendFileSync } from 'node:fs';
import type { Reporter, TestModule } from 'vitest/node';

/**
 * Appends what a run of vitest came to to the file that `NSDIR_TALLY` names, for `scripts/test` to add up: the lines
 * `passed N`, `failed N` and, for each skipped test, `skipped NAME: REASON`. Failed are tests, files that could not be
 * run, and errors outside of any test.
 */
export default class TallyReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], errors: readonly unknown[]): void {
    const file = process.env['NSDIR_TALLY'];
    if (file !== undefined) appendFileSync(file, tallyLines(modules, errors.length).join(''));
  }
}

function tallyLines(modules: readonly TestModule[], errors: number): string[] {
  const tests = modules.flatMap((module) => [...module.children.allTests()]);
  const inState = (state: string) => tests.filter((test) => test.result().state === state);
  const broken = modules.filter((module) => module.errors().length > 0);
  return [
    `passed ${inState('passed').length}\n`,
    `failed ${inState('failed').length + broken.length + errors}\n`,
    ...inState('skipped').map((test) => {
      const result = test.result();
      const reason = 'note' in result && result.note !== undefined ? `: ${result.note}` : '';
      return `skipped ${test.module.relativeModuleId}: ${test.fullName}${reason}`.replaceAll('\n', ' ') + '\n';
    }),
  ];
}
