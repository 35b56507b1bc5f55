import { adapterOf, mountOf } from '../../../mount/device/mountpoint.ts';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { FsError, systemErrno } from '../../errno.ts';
import { defineCommand, Failure, type Invocation, type OptionTable, OWN_FAILURE } from '../command.ts';
import { containerDirectory, refusalAt, serialAt, stateAt } from '../container-client.ts';
import { parseKinds } from '../kinds.ts';
import { initBinary } from '../package.ts';
import { MOUNT_OPTION, PLACE_OPTIONS, placeFor, treeAt } from '../place.ts';
import { standIn } from '../stand-in.ts';

const OPTIONS = {
  ns: { type: 'string', argument: 'LIST', summary: 'enter just these kinds, and stay outside else: net,uts' },
  ...MOUNT_OPTION,
  ...PLACE_OPTIONS,
} as const satisfies OptionTable;

export const enter = defineCommand({
  name: 'enter',
  summary: 'enter a container: a shell or a command in it, on a terminal of its own',
  usage: '[OPTION…] NAME [-- COMMAND [ARGUMENT…]]',
  details: [
    'A child of ours enters, by the same rules as ln(1) into .proxy, and runs the command, by default $SHELL. It keeps our ' +
      'user, environment and, if the container has it, working directory. Starts the container if need be. Unlike what ' +
      'nsdir run starts, it came from outside: the container cannot be checkpointed while it is there.',
    'If standard input and output are a terminal, the command gets one of its own in the container. Else stdin, stdout ' +
      'and stderr are passed on as they are. We wait as long as it lives and pass signals on to it.',
    'The exit status is that of the command, 128+n if signal n ended it, 126 if it cannot be run, 127 if it is not ' +
      'found, and 125 if the container cannot be entered.',
  ],
  options: OPTIONS,
  words: [1, 1],
  rest: 'optional',
  async run(invocation) {
    try {
      return await enterWith(invocation);
    } catch (error) {
      if (error instanceof Failure) throw new Failure(error.message, OWN_FAILURE);
      throw error;
    }
  },
});

async function enterWith({ values, words, rest = [] }: Invocation<typeof OPTIONS>): Promise<number> {
  const kinds = values.ns === undefined ? [] : parseKinds(values.ns);
  const instance = await placeFor(await treeAt(values.mount), values);
  const directory = containerDirectory(instance.mountPoint, words[0] ?? '');
  await serialAt(directory);
  await ensureRunning(directory);
  const command = rest.length > 0 ? rest : [process.env['SHELL'] ?? '/bin/sh'];
  const mount = await mountOf(instance.mountPoint);
  return await standIn(await initBinary(), [
    'enter',
    ...(mount && adapterOf(mount) === 'fuse-native' ? ['--named'] : []),
    ...kinds.flatMap((kind) => ['--part', kind]),
    ...(rest.length > 0 ? [] : ['--shell']),
    instance.mountPoint,
    directory,
    '--',
    ...command,
  ]);
}

/** Starts what does not run; who enters one kind of namespaces needs them to be there. */
async function ensureRunning(directory: string): Promise<void> {
  const state = await stateAt(directory);
  if (state === 'running') return;
  if (state === 'frozen') throw new Failure(`${directory} is frozen; thaw it: echo running > ${directory}/.state`);
  try {
    await writeFile(path.join(directory, '.state'), 'running\n');
  } catch (error) {
    if (error instanceof FsError) throw error;
    throw new Failure(
      `Cannot start ${directory}: ${(await refusalAt(directory)) ?? systemErrno(error) ?? String(error)}`,
    );
  }
}
