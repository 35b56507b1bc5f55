import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { reasonOf } from './command.ts';
import type { Bench, Group } from './group.ts';
import { GROUPS } from './groups/table.ts';
import { buildHelpers } from './helpers.ts';
import { describeMachine } from './machine.ts';
import { toJson, toMarkdown, type Measured } from './report.ts';
import { verdictOf, type Row } from './row.ts';
import { removeScratch } from './scratch.ts';

const OUT = 'bench-out';
const DOCUMENT = 'docs/bench.md';

const { values } = parseArgs({
  options: {
    only: { type: 'string', multiple: true, default: [] },
    quick: { type: 'boolean', default: false },
    help: { type: 'boolean', short: 'h', default: false },
  },
});

if (values.help) process.stdout.write(help());
else process.exitCode = await main(chosen(values.only), values.quick, values.only.length === 0);
// Something that could not be killed must not keep the bench from ending.
process.exit();

function help(): string {
  const rows = GROUPS.map(({ name, title }) => `  ${name.padEnd(12)}${title}`);
  return [
    'usage: scripts/bench [--quick] [--only GROUP]…',
    '',
    'Measures nsdir beside its peers. Groups:',
    ...rows,
    '',
    `A full run writes ${DOCUMENT}; any run writes ${OUT}/bench.md and ${OUT}/bench.json.`,
    '',
  ].join('\n');
}

function chosen(names: readonly string[]): readonly Group[] {
  const unknown = names.find((name) => !GROUPS.some((group) => group.name === name));
  if (unknown !== undefined) {
    process.stderr.write(`bench: there is no group ${JSON.stringify(unknown)}; see --help\n`);
    process.exit(2);
  }
  return names.length === 0 ? GROUPS : GROUPS.filter(({ name }) => names.includes(name));
}

/** 0 when everything ran, whatever the figures; 1 when one of our own measurements could not be made. */
async function main(groups: readonly Group[], quick: boolean, all: boolean): Promise<number> {
  const began = performance.now();
  const machine = await describeMachine();
  const scratch = mkdtempSync('/var/tmp/nsdir-bench-');
  const measured: Measured[] = [];
  try {
    const bench: Bench = { helpers: await buildHelpers(scratch), quick, scratch };
    for (const group of groups) measured.push({ group, rows: await measure(group, bench) });
  } finally {
    await removeScratch(scratch);
  }
  const report = { machine, quick, seconds: (performance.now() - began) / 1e3, measured };
  mkdirSync(OUT, { recursive: true });
  writeFileSync(`${OUT}/bench.json`, toJson(report));
  writeFileSync(`${OUT}/bench.md`, toMarkdown(report));
  if (all && !quick) writeFileSync(DOCUMENT, toMarkdown(report));
  process.stdout.write(`\n${toMarkdown(report)}\n`);
  return measured.some(({ rows }) => rows.some(({ failure, peer }) => failure !== undefined && !peer)) ? 1 : 0;
}

/** The rows, those before a failure and the failure itself. */
async function measure(group: Group, bench: Bench): Promise<Row[]> {
  const rows: Row[] = [];
  process.stderr.write(`bench: ${group.title}\n`);
  try {
    for await (const row of group.measure(bench)) {
      rows.push(row);
      const { what, unit, ours, theirs, ratio, failure } = row;
      const digits = (value: number | undefined) => (value === undefined ? '-' : value.toPrecision(4));
      const values = failure ?? `${digits(ours)} ${unit}  peer ${digits(theirs)}  ratio ${digits(ratio)}`;
      process.stderr.write(`  ${what}: ${values}  ${verdictOf(row)}\n`);
    }
  } catch (error) {
    const failure = reasonOf(error);
    rows.push({ what: `the rest of: ${group.title}`, unit: 'ms', failure });
    process.stderr.write(`  failed: ${error instanceof Error ? (error.stack ?? failure) : failure}\n`);
  }
  return rows;
}
