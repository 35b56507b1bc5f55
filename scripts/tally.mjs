// Prints the skipped tests with their reasons, and as the last line what all test runs together came to.
// usage: tally.mjs FILE STATUS: FILE has one JSON object a line, as test/support/tally-reporter.ts writes them.
import { existsSync, readFileSync } from 'node:fs';

const [file, status] = process.argv.slice(2);
const runs = existsSync(file)
  ? readFileSync(file, 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))
  : [];
const sum = (key) => runs.reduce((total, run) => total + run[key], 0);
const skipped = runs.flatMap((run) => run.skipped);
for (const { name, reason } of skipped) console.log(`skipped: ${name}${reason ? `: ${reason}` : ''}`);
// A stage that failed without a failed test, such as lint, counts as one.
const failed = Math.max(sum('failed'), status === '0' ? 0 : 1);
console.log(`${sum('passed')} passed, ${failed} failed, ${skipped.length} skipped`);
