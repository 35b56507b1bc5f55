import { existsSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { isOurs, mountOf } from '../../../mount/device/mountpoint.ts';
import { defineCommand, Failure, UsageError } from '../command.ts';
import { containerDirectory } from '../container-client.ts';
import { answeringTreeAt } from '../place.ts';
import { MAX_CONTAINERS, Reader, withoutDiscovered, type Reading } from '../tree/reading.ts';
import { renderTree } from '../tree/rendering.ts';
import { isScreen, keyPressed, takeScreen } from '../tree/screen.ts';
import { Shares } from '../tree/shares.ts';

const FRAME_MS = 1000;

export const tree = defineCommand({
  name: 'tree',
  summary: 'show containers, what they do and cost',
  usage: '[OPTION…] [DIR | NAME]',
  details: [
    'DIR is $NSDIR_MOUNT or /namespaces if it is not given, any container’s directory in it, or the name of one. PROCS are the processes ' +
      'of a container itself; CPU and MEMORY are those of all that is in it. A container that never started has state "-". ' +
      'Containers are shown that were made here, or given a name here.',
  ],
  options: {
    watch: {
      type: 'boolean',
      short: 'w',
      summary: 'show it anew every second, with the share of a cpu, until ^C or q',
    },
    json: { type: 'boolean', summary: 'as JSON: name, state, init, processes, cpuUsec, memoryBytes, origin, children' },
    all: { type: 'boolean', short: 'a', summary: 'also what was only discovered: containers that others made' },
  },
  words: [0, 1],
  async run({ values, words }) {
    const directory = await directoryOf(words[0]);
    if (values.watch === true) {
      if (values.json === true) throw new UsageError('--watch and --json exclude each other');
      return watch(directory, values.all === true);
    }
    const { reading, truncated } = await readWhole(directory, values.all === true);
    const text = values.json === true ? JSON.stringify(reading, undefined, 2) : renderTree(reading).join('\n');
    process.stdout.write(`${text}\n`);
    if (truncated) process.stderr.write(`nsdir tree: only ${MAX_CONTAINERS} containers are shown\n`);
    return 0;
  },
});

/** A directory, as of any command; a name that is none is a container's, relative to the tree. */
async function directoryOf(word: string | undefined): Promise<string> {
  if (word === undefined || path.isAbsolute(word) || (await isThere(word))) return answeringTreeAt(word);
  return containerDirectory(await answeringTreeAt(undefined), word);
}

/** Whether there is such a file. In a tree whose daemon does not answer, that is not asked. */
async function isThere(word: string): Promise<boolean> {
  const mount = await mountOf(path.resolve(word));
  if (mount !== undefined && isOurs(mount)) await answeringTreeAt(mount.mountPoint);
  return existsSync(word);
}

async function readWhole(directory: string, all: boolean): Promise<{ reading: Reading; truncated: boolean }> {
  const reader = new Reader();
  const reading = await reader.read(directory);
  if (reading === undefined || (reading.error !== undefined && reading.children.length === 0)) {
    throw new Failure(`Cannot read ${directory}: ${reading?.error ?? 'ENOENT'}; see nsdir doctor`);
  }
  return { reading: all ? reading : withoutDiscovered(reading), truncated: reader.truncated };
}

/** Frames until SIGINT or SIGTERM. */
async function watch(directory: string, all: boolean): Promise<number> {
  const ending = new AbortController();
  const end = () => {
    ending.abort();
  };
  process.once('SIGINT', end).once('SIGTERM', end).once('SIGHUP', end);
  const shares = new Shares();
  using screen = isScreen(process.stdout) ? takeScreen(process.stdout) : undefined;
  using _keys = screen && keyPressed(process.stdin, 'q', end);
  while (!ending.signal.aborted) {
    await answeringTreeAt(directory);
    const { reading } = await readWhole(directory, all);
    const lines = renderTree(reading, shares.next(reading, performance.now()));
    if (screen === undefined) process.stdout.write(`${lines.join('\n')}\n\n`);
    else screen.draw(lines);
    await sleep(FRAME_MS, undefined, { signal: ending.signal }).catch(() => undefined);
  }
  return 0;
}
