import { parseArgs } from 'node:util';
import { styled, wrap } from './text.ts';

/** One option of a command; a row of its table. */
interface OptionRow {
  readonly type: 'boolean' | 'string';
  readonly short?: string;
  /** What a string option takes, as `--help` shows it: `FILE`. */
  readonly argument?: string;
  readonly summary: string;
}

export type OptionTable = Readonly<Record<string, OptionRow>>;

/** What was given for the options of `Table`: only those that were. */
export type Values<Table extends OptionTable> = {
  readonly [Name in keyof Table]?: { boolean: boolean; string: string }[Table[Name]['type']];
};

export interface Invocation<Table extends OptionTable> {
  readonly values: Values<Table>;
  /** Words before `--`. */
  readonly words: readonly string[];
  /** Words after `--`, or `undefined` if there was none. */
  readonly rest: readonly string[] | undefined;
}

export interface Definition<Table extends OptionTable> {
  readonly name: string;
  readonly summary: string;
  /** The command line behind `nsdir NAME`, without the options of the table: `[DIR]`. */
  readonly usage: string;
  /** Whole sentences for `--help`, one paragraph each. */
  readonly details?: readonly string[];
  readonly options: Table;
  /** Fewest and most words before `--`, and whether words after it are wanted. */
  readonly words: readonly [least: number, most: number];
  readonly rest?: 'required' | 'optional';
  /** Does it; resolves to the exit status. */
  run(invocation: Invocation<Table>): Promise<number>;
}

/** A command as `main.ts` sees it. */
export interface Command {
  help(): string;
  /** What there is to type behind `nsdir NAME`: its options, and the usage, which says what its words are. */
  readonly usage: string;
  readonly options: OptionTable;
  /** Throws `UsageError` if the words do not fit. */
  run(argv: readonly string[]): Promise<number>;
}

/** Status of commands that exit as another one does, if they cannot have it run: as of env(1), nice(1) and timeout(1). */
export const OWN_FAILURE = 125;

/** The command line makes no sense: exit 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** What was asked cannot be done: the message says why and what mends it. */
export class Failure extends Error {
  override readonly name = 'Failure';
  readonly status: number;

  constructor(message: string, status = 1) {
    super(message);
    this.status = status;
  }
}

const HELP = { help: { type: 'boolean', short: 'h', summary: 'show this' } } as const satisfies OptionTable;

/** A command from its table: parsing, `--help` and the checks of the number of words follow from it. */
export function defineCommand<const Table extends OptionTable>(definition: Definition<Table>): Command {
  const options: OptionTable = { ...definition.options, ...HELP };
  const help = () => helpText(definition, options);
  return {
    help,
    usage: definition.usage,
    options,
    async run(argv) {
      checkDashes(definition, options, argv);
      const parsed = parse(options, argv);
      if (parsed.values['help'] === true) {
        process.stdout.write(help());
        return 0;
      }
      checkWords(definition, parsed);
      return definition.run(parsed as Invocation<Table>);
    },
  };
}

function parse(options: OptionTable, argv: readonly string[]): Invocation<OptionTable> {
  const end = argv.indexOf('--');
  const own = end < 0 ? argv : argv.slice(0, end);
  try {
    const { values, positionals } = parseArgs({ args: [...own], options: plain(options), allowPositionals: true });
    return {
      values: values,
      words: positionals,
      rest: end < 0 ? undefined : argv.slice(end + 1),
    };
  } catch (error) {
    throw new UsageError(firstSentence(error), { cause: error });
  }
}

function plain(options: OptionTable) {
  return Object.fromEntries(
    Object.entries(options).map(([name, { type, short }]) => [name, short === undefined ? { type } : { type, short }]),
  );
}

/** Throws UsageError, with what to type, for `run web sleep 1`: other programs take a command without `--` before it. */
function checkDashes(
  { name, words, rest }: Definition<OptionTable>,
  options: OptionTable,
  argv: readonly string[],
): void {
  if (rest === undefined || argv.includes('--')) return;
  const { tokens } = parseArgs({ args: [...argv], options: plain(options), strict: false, tokens: true });
  const first = tokens.filter(({ kind }) => kind === 'positional')[words[1]];
  const isHelp = tokens.some(
    (token) => token.kind === 'option' && token.name === 'help' && token.index < (first?.index ?? 0),
  );
  if (first === undefined || isHelp) return;
  const typed = [...argv.slice(0, first.index), '--', ...argv.slice(first.index)];
  throw new UsageError(`put -- before the command: nsdir ${name} ${typed.map(shown).join(' ')}`);
}

/** A word as a shell takes it. */
function shown(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

/** parseArgs explains at length how to pass a positional that looks like an option; the first sentence is enough. */
function firstSentence(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  return (message.split(/\. |\n/)[0] ?? message).replace(/\.$/, '');
}

function checkWords(definition: Definition<OptionTable>, { words, rest }: Invocation<OptionTable>): void {
  const [least, most] = definition.words;
  if (words.length < least && rest?.[0]?.startsWith('-') === true) {
    throw new UsageError(`a name that begins with a dash is written ./${rest[0]}; usage: ${usageLine(definition)}`);
  }
  if (words.length < least) throw new UsageError(`too few arguments; usage: ${usageLine(definition)}`);
  if (words.length > most) throw new UsageError(`unexpected argument ${JSON.stringify(words[most])}`);
  if (rest !== undefined && definition.rest === undefined) throw new UsageError('nothing may follow "--" here');
  if (definition.rest === 'required' && (rest === undefined || rest.length === 0)) {
    throw new UsageError(`the command is missing behind "--"; usage: ${usageLine(definition)}`);
  }
}

function usageLine({ name, usage }: Definition<OptionTable>): string {
  return `nsdir ${name} ${usage}`.trimEnd();
}

function helpText(definition: Definition<OptionTable>, options: OptionTable): string {
  const rows = Object.entries(options).map(([name, row]) => [optionWords(name, row), row.summary] as const);
  const width = Math.max(...rows.map(([left]) => left.length));
  return [
    `${styled('usage:', 'bold')} ${usageLine(definition)}`,
    '',
    ...wrap(`${definition.summary.charAt(0).toUpperCase()}${definition.summary.slice(1)}.`),
    ...(definition.details ?? []).flatMap((paragraph) => ['', ...wrap(paragraph)]),
    '',
    ...rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right}`),
    '',
  ].join('\n');
}

function optionWords(name: string, { short, argument }: OptionRow): string {
  return `${short === undefined ? '    ' : `-${short}, `}--${name}${argument === undefined ? '' : ` ${argument}`}`;
}
