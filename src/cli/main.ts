#!/usr/bin/env node
import { Failure, UsageError } from './command.ts';
import { COMMANDS, findCommand } from './commands.ts';
import { packageVersion } from './package.ts';
import { styled } from './text.ts';
import { whyIt } from './why.ts';

/** Exit status of a command line that makes no sense, as of a shell builtin (bash(1)). */
const USAGE_STATUS = 2;

const FAILURE_STATUS = 1;

async function main(argv: readonly string[]): Promise<number> {
  const [first, ...rest] = argv;
  if (first === undefined || first === '--help' || first === '-h') {
    (first === undefined ? process.stderr : process.stdout).write(overview());
    return first === undefined ? USAGE_STATUS : 0;
  }
  if (first === '--version') {
    process.stdout.write(`nsdir ${await packageVersion()}\n`);
    return 0;
  }
  const row = findCommand(first);
  if (row === undefined) {
    const what = first.startsWith('-') ? 'option' : 'command';
    return complain(`nsdir: unknown ${what} ${JSON.stringify(first)}`, 'nsdir --help', USAGE_STATUS);
  }
  try {
    return await (await row.load()).run(rest);
  } catch (error) {
    if (error instanceof UsageError) {
      return complain(`nsdir ${row.name}: ${error.message}`, `nsdir ${row.name} --help`, USAGE_STATUS);
    }
    // What nsdir itself runs has a log, where the stack of a bug is wanted.
    if (!(error instanceof Failure) && row.summary === undefined) throw error;
    process.stderr.write(`nsdir ${row.name}: ${error instanceof Failure ? error.message : whyIt(error)}\n`);
    return error instanceof Failure ? error.status : (row.failure ?? FAILURE_STATUS);
  }
}

function complain(message: string, help: string, status: number): number {
  process.stderr.write(`${message}\nTry: ${help}\n`);
  return status;
}

function overview(): string {
  const shown = COMMANDS.filter(({ summary }) => summary !== undefined);
  const width = Math.max(...shown.map(({ name }) => name.length));
  return [
    `${styled('usage:', 'bold')} nsdir COMMAND [OPTION…] [ARGUMENT…]`,
    '',
    'Every Linux container on the machine is a directory: mkdir makes one, mv renames it, rm -rf kills it.',
    '',
    ...shown.map(({ name, summary }) => `  ${name.padEnd(width)}  ${summary ?? ''}`),
    '',
    '  nsdir COMMAND --help tells more; nsdir --version tells the version.',
    '  NSDIR_MOUNT names the mount point that is meant when none is given (else /namespaces).',
    '',
  ].join('\n');
}

/** A reader that went away (`nsdir tree | head`) is no error. */
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(process.exitCode ?? 0);
  process.stderr.write(`nsdir: Cannot write to standard output: ${error.code ?? error.message}\n`);
  process.exit(FAILURE_STATUS);
});
/** There is nobody left to tell. */
process.stderr.on('error', () => {
  process.exit(FAILURE_STATUS);
});

process.exitCode = await main(process.argv.slice(2));
