import { appendFileSync } from 'node:fs';
import type { Reporter, TestModule } from 'vitest/node';

/** What a run of vitest came to. */
export interface Tally {
  readonly passed: number;
  /** Failed tests, files that could not be run, and errors outside of any test. */
  readonly failed: number;
  readonly skipped: readonly { readonly name: string; readonly reason?: string }[];
}

/** Appends the run's tally as one line of JSON to the file that `NSDIR_TALLY` names; `scripts/test` adds them up. */
export default class TallyReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], errors: readonly unknown[]): void {
    const file = process.env['NSDIR_TALLY'];
    if (file !== undefined) appendFileSync(file, `${JSON.stringify(tally(modules, errors))}\n`);
  }
}

export function tally(modules: readonly TestModule[], errors: readonly unknown[]): Tally {
  const tests = modules.flatMap((module) => [...module.children.allTests()]);
  const inState = (state: string) => tests.filter((test) => test.result().state === state);
  const broken = modules.filter((module) => module.errors().length > 0);
  return {
    passed: inState('passed').length,
    failed: inState('failed').length + broken.length + errors.length,
    skipped: inState('skipped').map((test) => {
      const result = test.result();
      const reason = 'note' in result ? result.note : undefined;
      return { name: `${test.module.relativeModuleId}: ${test.fullName}`, ...(reason === undefined ? {} : { reason }) };
    }),
  };
}
