import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, test, vi } from 'vitest';
import type { TestModule } from 'vitest/node';
import TallyReporter from '../../support/tally-reporter.ts';

const directory = mkdtempSync(path.join(tmpdir(), 'nsdir-tally-'));

afterAll(() => {
  vi.unstubAllEnvs();
  rmSync(directory, { recursive: true });
});

function moduleOf(results: readonly object[], errors: readonly object[] = []): TestModule {
  const tests = results.map((result, index) => ({
    fullName: `test ${index}`,
    module: { relativeModuleId: 'some.test.ts' },
    result: () => result,
  }));
  return { children: { allTests: () => tests }, errors: () => errors } as unknown as TestModule;
}

describe('TallyReporter', () => {
  test('counts tests, files that broke and errors outside of tests, and gives reasons', () => {
    const file = path.join(directory, 'tally');
    vi.stubEnv('NSDIR_TALLY', file);
    const reporter = new TallyReporter();
    reporter.onTestRunEnd(
      [
        moduleOf([{ state: 'passed' }, { state: 'failed' }, { state: 'skipped', note: 'no busybox' }]),
        moduleOf([{ state: 'passed' }, { state: 'skipped' }], [{}]),
      ],
      [new Error('stray')],
    );
    expect(readFileSync(file, 'utf8').split('\n')).toEqual([
      'passed 2',
      'failed 3',
      'skipped some.test.ts: test 2: no busybox',
      'skipped some.test.ts: test 1',
      '',
    ]);
  });
});
