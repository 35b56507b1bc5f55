import { printable } from '../text.ts';
import type { Reading } from './reading.ts';

/** One line of the tree: the name with its branches, and the columns behind it. */
interface Row {
  readonly label: string;
  readonly cells: readonly string[];
}

const COLUMNS = ['STATE', 'INIT', 'PROCS', 'CPU', 'MEMORY'] as const;

/** Columns that hold numbers stand to the right. */
const LEFT_ALIGNED = 1;

/** A longer name would push the columns out of sight. */
const MAX_LABEL = 60;

/** The tree as aligned lines, the heading first. `cpuShare` tells a container's share of one cpu, by its path. */
export function renderTree(root: Reading, cpuShare?: (path: string) => number | undefined): string[] {
  const rows: Row[] = [...rowsOf(root, root.name, '', '', cpuShare)];
  const heading = cpuShare === undefined ? COLUMNS : COLUMNS.map((name) => (name === 'CPU' ? '%CPU' : name));
  const labelWidth = Math.max(...rows.map(({ label }) => columns(label)));
  const widths = heading.map((name, column) =>
    rows.reduce((width, { cells }) => Math.max(width, (cells[column] ?? '').length), name.length),
  );
  return [{ label: '', cells: heading }, ...rows].map(({ label, cells }) =>
    [
      label + ' '.repeat(Math.max(0, labelWidth - columns(label))),
      ...cells.map((cell, index) =>
        index < LEFT_ALIGNED ? cell.padEnd(widths[index] ?? 0) : cell.padStart(widths[index] ?? 0),
      ),
    ]
      .join('  ')
      .trimEnd(),
  );
}

/** `prefix` leads this row, `below` those of its children. */
function* rowsOf(
  reading: Reading,
  path: string,
  prefix: string,
  below: string,
  cpuShare: ((path: string) => number | undefined) | undefined,
): Generator<Row> {
  yield { label: prefix + shortened(printable(reading.name)), cells: cellsOf(reading, path, cpuShare) };
  for (const [index, child] of reading.children.entries()) {
    const last = index === reading.children.length - 1;
    const inner = below + (last ? '   ' : '│  ');
    yield* rowsOf(child, `${path}/${child.name}`, `${below}${last ? '└─ ' : '├─ '}`, inner, cpuShare);
  }
}

function cellsOf(
  reading: Reading,
  path: string,
  cpuShare: ((path: string) => number | undefined) | undefined,
): readonly string[] {
  const { state, init, processes, cpuUsec, memoryBytes, error } = reading;
  if (error !== undefined) return [error];
  if (state === undefined) return ['-'];
  const share = cpuShare?.(path);
  const cpu = cpuShare === undefined ? cpuUsec && seconds(cpuUsec) : share !== undefined && (share * 100).toFixed(1);
  return [
    state,
    init === undefined ? '' : String(init),
    processes === undefined ? '' : String(processes),
    cpu === undefined || cpu === false ? '' : String(cpu),
    memoryBytes === undefined ? '' : bytes(memoryBytes),
  ];
}

function seconds(usec: number): string {
  if (usec < 1_000_000) return `${Math.round(usec / 1000)}ms`;
  const whole = Math.floor(usec / 1_000_000);
  if (whole < 60) return `${(usec / 1_000_000).toFixed(1)}s`;
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60];
  return hours > 0 ? `${hours}h${minutes}m` : `${minutes}m${whole % 60}s`;
}

const UNITS = ['B', 'K', 'M', 'G', 'T', 'P'];

function bytes(count: number): string {
  let value = count;
  let unit = 0;
  for (; value >= 1024 && unit < UNITS.length - 1; unit += 1) value /= 1024;
  return `${value >= 10 || unit === 0 ? Math.round(value) : value.toFixed(1)}${UNITS[unit] ?? ''}`;
}

function shortened(name: string): string {
  const characters = Array.from(name);
  return characters.length <= MAX_LABEL ? name : `${characters.slice(0, MAX_LABEL - 1).join('')}…`;
}

/** What terminals draw in two columns: East Asian letters and full-width forms (UAX #11), and pictures. */
const WIDE =
  /[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{1f300}-\u{1f64f}\u{1f680}-\u{1f6ff}\u{1f900}-\u{1f9ff}\u{20000}-\u{3fffd}]/u;

/** Of a terminal, that a label takes. Marks are drawn upon the letter before them. */
function columns(label: string): number {
  return Array.from(label.replaceAll(/\p{Mn}/gu, '')).reduce(
    (sum, character) => sum + (WIDE.test(character) ? 2 : 1),
    0,
  );
}
