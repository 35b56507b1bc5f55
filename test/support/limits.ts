import { readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

/** A row of a document's table of limits: `NAME`, number, file. */
export interface LimitRow {
  readonly name: string;
  readonly number: number;
  readonly file: string;
}

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

const ROW = /^\| `([A-Z_]+)` +\| (\d+) +\| (\S+) +\|/gmu;

/** The rows, `document` below the project's directory. */
export function limitsIn(document: string): LimitRow[] {
  const rows = readFileSync(path.join(ROOT, document), 'utf8').matchAll(ROW);
  return [...rows].map(([, name = '', number = '', file = '']) => ({ name, number: Number(number), file }));
}

/** What the code gives a name: TypeScript, C or sh. `undefined` if it does not, or not as a plain number. */
export function limitInCode(name: string, file: string): number | undefined {
  const text = readFileSync(path.join(ROOT, file), 'utf8');
  const given = new RegExp(
    `^(?:(?:export )?const |#define |)${name}(?: = |=| )\\(?([\\d_ *<]+)\\)?;?(?: +/\\*.*)?$`,
    'mu',
  ).exec(text);
  return given?.[1] === undefined ? undefined : valueOf(given[1]);
}

/** Of `4096`, `65_536`, `200 * 1000` or `16 << 20`. */
function valueOf(expression: string): number {
  const [first = Number.NaN, ...rest] = expression.split(/<<|\*/).map((factor) => Number(factor.replaceAll('_', '')));
  return rest.reduce((value, next) => (expression.includes('<<') ? value * 2 ** next : value * next), first);
}
