import type { Group } from './group.ts';
import type { Machine } from './machine.ts';
import { verdictOf, type Row } from './row.ts';

export interface Measured {
  readonly group: Group;
  readonly rows: readonly Row[];
}

export interface Report {
  readonly machine: Machine;
  readonly quick: boolean;
  readonly seconds: number;
  readonly measured: readonly Measured[];
}

/** For a program: every row with its verdict. */
export function toJson({ machine, quick, seconds, measured }: Report): string {
  const rows = measured.flatMap(({ group, rows }) =>
    rows.map((row) => ({ group: group.name, ...row, verdict: verdictOf(row) })),
  );
  return `${JSON.stringify({ machine, quick, seconds, rows }, null, 2)}\n`;
}

/** For people. */
export function toMarkdown(report: Report): string {
  const { machine, quick, seconds, measured } = report;
  const how = quick ? 'quick run, few rounds' : 'full run';
  return [
    '# Speed',
    '',
    'Written by `scripts/bench`; not edited by hand. Everything was measured in one run, side by side: trust ratios more',
    'than microseconds. Values are medians, ratios are medians of the ratios of neighbouring rounds.',
    '',
    `- machine: ${machine.cpu}, ${machine.cores} cores, ${machine.memoryGiB} GiB, virtualisation ${machine.virtualisation}`,
    `- system: ${machine.system}, Linux ${machine.kernel}, Node ${machine.node}`,
    `- nsdir ${machine.nsdir}; ${machine.date}; ${how} of ${seconds.toFixed(0)} s`,
    `- others' work on it: load average ${machine.loadBefore.toFixed(2)} before the run, which had nice ${machine.nice} and ${machine.cpuWeight}`,
    '',
    '## Against the figures',
    '',
    ...summary(measured),
    ...measured.flatMap(section),
  ].join('\n');
}

function summary(measured: readonly Measured[]): string[] {
  const rows = measured.flatMap(({ rows }) => rows);
  const passed = rows.filter((row) => verdictOf(row) === 'pass').length;
  const short = rows.filter((row) => verdictOf(row) === 'FALLS SHORT');
  const failed = rows.filter((row) => verdictOf(row) === 'did not run');
  return [
    `${passed} figures are kept.`,
    '',
    ...(short.length > 0 ? ['Falling short:', '', ...short.map((row) => `- ${row.what}: ${shortfall(row)}`), ''] : []),
    ...(failed.length > 0
      ? ['Did not run:', '', ...failed.map((row) => `- ${row.what}: ${row.failure ?? ''}`), '']
      : []),
  ];
}

function shortfall({ unit, ours, ratio, peer, atMost }: Row): string {
  if (atMost?.of === 'ratio') return `${number(ratio)} × ${peer ?? ''}, asked for ${atMost.limit}`;
  return `${number(ours)} ${unit}, asked for ${atMost?.limit ?? ''}`;
}

function section({ group, rows }: Measured): string[] {
  const notes = rows.flatMap((row) => (row.note === undefined ? [] : [`- ${row.what}: ${row.note}`]));
  return [
    `## ${group.title}`,
    '',
    group.method,
    '',
    '| | nsdir | peer | ratio | figure | |',
    '|---|---:|---:|---:|---:|---|',
    ...rows.map(line),
    '',
    ...(notes.length > 0 ? [...notes, ''] : []),
  ];
}

function line(row: Row): string {
  const { what, unit, ours, peer, theirs, ratio, atMost, failure } = row;
  const measure = (value: number | undefined) => (value === undefined ? '' : `${number(value)} ${unit}`);
  const beside = theirs === undefined ? '' : `${peer ?? ''}: ${measure(theirs)}`;
  const figure = atMost ? (atMost.of === 'ratio' ? `≤ ${atMost.limit} ×` : `≤ ${atMost.limit} ${unit}`) : '';
  const verdict = failure === undefined ? verdictOf(row) : `did not run: ${failure.replaceAll('|', '\\|')}`;
  return `| ${what} | ${measure(ours)} | ${beside} | ${number(ratio)} | ${figure} | ${verdict} |`;
}

/** Three digits are known, at best. */
function number(value: number | undefined): string {
  if (value === undefined) return '';
  if (Number.isInteger(value) || Math.abs(value) >= 100) return Math.round(value).toString();
  return value.toPrecision(Math.abs(value) < 1 ? 2 : 3);
}
