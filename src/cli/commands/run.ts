import { mkdir, readlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { runBounded } from '../../../mount/device/child.ts';
import { systemErrno } from '../../errno.ts';
import { type Instance, stateFiles } from '../../instance.ts';
import { defineCommand, Failure, type Invocation, type OptionTable, OWN_FAILURE, UsageError } from '../command.ts';
import {
  belongsToOther,
  containerDirectory,
  hasExited,
  isOfOthers,
  refusalAt,
  serialAt,
  stateAt,
} from '../container-client.ts';
import { commandsSocket } from '../init-socket.ts';
import { parseKinds } from '../kinds.ts';
import { initBinary } from '../package.ts';
import { MOUNT_OPTION, PLACE_OPTIONS, placeFor, treeAt } from '../place.ts';
import { standIn } from '../stand-in.ts';

const REMOVE_TIMEOUT_MS = 60_000;

/** How long it is waited for the daemon to hear that a container ended with its main command. */
const ENDED_LIMIT_MS = 2_000;

const OPTIONS = {
  detach: { type: 'boolean', short: 'd', summary: 'do not wait; nsdir logs NAME shows what it writes' },
  net: { type: 'boolean', summary: 'a container that is started gets a network of its own as well' },
  ns: { type: 'string', argument: 'LIST', summary: 'a container that is started gets just these kinds: mnt,uts,pid' },
  rm: { type: 'boolean', summary: 'remove the container at the end: whatever still runs in it dies' },
  ...MOUNT_OPTION,
  ...PLACE_OPTIONS,
} as const satisfies OptionTable;

export const run = defineCommand({
  name: 'run',
  summary: 'run a command in a container, made and started if need be',
  usage: '[OPTION…] NAME -- COMMAND [ARGUMENT…]',
  details: [
    'NAME is the name of a container or a path of names, web/job; all but the last must be there. The command runs as ' +
      'a child of the container’s init, with this terminal and the working directory we are in, if the container has it.',
    'The exit status is that of the command, 128+n if signal n ended it, 126 if it cannot be run, 127 if it is not ' +
      'found, and 125 if the container is what failed.',
  ],
  options: OPTIONS,
  words: [1, 1],
  rest: 'required',
  async run(invocation) {
    try {
      return await runIn(invocation);
    } catch (error) {
      if (error instanceof Failure) throw new Failure(error.message, OWN_FAILURE);
      throw error;
    }
  },
});

async function runIn({ values, words, rest = [] }: Invocation<typeof OPTIONS>): Promise<number> {
  const kinds = wantedKinds(values.net === true, values.ns);
  if (values.rm === true && values.detach === true) throw new UsageError('--rm and --detach exclude each other');
  const instance = await placeFor(await treeAt(values.mount), values);
  const directory = containerDirectory(instance.mountPoint, words[0] ?? '');
  await refuseForeign(directory, words[0] ?? '');
  await refuseBundle(directory);
  const started = await ensureStarted(directory, kinds);
  const status = await command(instance, directory, { started, detach: values.detach === true, argv: rest });
  if (values.rm === true) await removeTree(directory);
  else if (started && values.detach !== true) await untilEnded(directory);
  return status;
}

/**
 * Waits until the container is seen to have ended, with its main command: who then reads `.exit`, removes it, or starts it
 * or one inside it, is not too early.
 */
async function untilEnded(directory: string): Promise<void> {
  await runBounded(await initBinary(), ['ended', directory], ENDED_LIMIT_MS);
}

/** What is written behind `running`: nothing, `+net`, or the exact list. */
function wantedKinds(net: boolean, list: string | undefined): string | undefined {
  if (list === undefined) return net ? '+net' : undefined;
  const words = parseKinds(list);
  return [...words, ...(net && !words.includes('net') ? ['net'] : [])].join(',');
}

/** What others made has no init that takes commands, and the init of another user's takes none of ours. */
async function refuseForeign(directory: string, name: string): Promise<void> {
  const owner = await belongsToOther(directory);
  if (owner !== undefined) throw new Failure(`${name} belongs to ${owner}: only he and root run commands in it`);
  if (await isOfOthers(directory)) {
    throw new Failure(`${name} was made by others, and has no init of nsdir to ask: nsdir enter ${name} -- COMMAND`);
  }
}

/** The init of a bundle is the bundle's own, and takes no commands. */
async function refuseBundle(directory: string): Promise<void> {
  const bundle = await readlink(path.join(directory, '.bundle')).catch(() => undefined);
  if (bundle === undefined) return;
  throw new Failure(
    `${directory} is started from the bundle ${bundle}, which says what runs; nsdir enter runs a command in it`,
  );
}

/** Makes and starts the container as far as that is not done. Whether this call started it. */
async function ensureStarted(directory: string, kinds: string | undefined): Promise<boolean> {
  const made = await make(directory);
  const state = made ? undefined : await stateAt(directory);
  if (state === 'frozen') {
    throw new Failure(`${directory} is frozen; thaw it: echo running > ${directory}/.state`);
  }
  // One whose init has just ended is started anew.
  if (state === 'running' && !(await hasExited(directory))) {
    if (kinds === undefined) return false;
    throw new Failure(`${directory} runs already, with the namespaces it has; leave out --net and --ns`);
  }
  try {
    await writeFile(path.join(directory, '.state'), kinds === undefined ? 'running\n' : `running ${kinds}\n`);
    return true;
  } catch (error) {
    const why = (await refusalAt(directory)) ?? systemErrno(error) ?? String(error);
    if (made) await removeTree(directory);
    throw new Failure(`Cannot start ${directory}: ${why}`);
  }
}

/** mkdir(2) of the last name; false if the container is there already. */
async function make(directory: string): Promise<boolean> {
  try {
    await mkdir(directory);
    return true;
  } catch (error) {
    const errno = systemErrno(error);
    if (errno === 'EEXIST') return false;
    const parent = path.dirname(directory);
    const remedy = errno === 'ENOENT' ? `; make ${parent} first: mkdir ${parent}` : '';
    throw new Failure(`Cannot make ${directory}: ${errno ?? String(error)}${remedy}`);
  }
}

interface Job {
  readonly started: boolean;
  readonly detach: boolean;
  readonly argv: readonly string[];
}

/** Has the container's init run the command, and is its stand-in until it ends. */
async function command(instance: Instance, directory: string, { started, detach, argv }: Job): Promise<number> {
  const { initSocket, output } = stateFiles(instance, await serialAt(directory));
  await using init = await commandsSocket(directory, initSocket);
  return await standIn(
    await initBinary(),
    [
      'run',
      ...(started ? ['--main'] : []),
      ...(detach ? ['--detach', output] : []),
      ...(init.root === undefined ? [] : ['--root', init.root]),
      ...['--cwd', workingDirectory()],
      init.socket,
      '--',
      ...argv,
    ],
    { descriptors: init.descriptors },
  );
}

/** Where there is none any more, the container has no such directory either. */
function workingDirectory(): string {
  try {
    return process.cwd();
  } catch {
    return '/';
  }
}

async function removeTree(directory: string): Promise<void> {
  const { status, stderr } = await runBounded('rm', ['-rf', '--', directory], REMOVE_TIMEOUT_MS);
  if (status !== 0) process.stderr.write(`nsdir run: Cannot remove ${directory}: ${stderr}\n`);
}
