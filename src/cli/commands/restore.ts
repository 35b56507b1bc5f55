import { createReadStream } from 'node:fs';
import { mkdir, readdir, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import { runBounded } from '../../../mount/device/child.ts';
import { systemErrno } from '../../errno.ts';
import { ACCEPT_CHANGED_FILES } from '../../tree/arrivals.ts';
import { defineCommand, Failure } from '../command.ts';
import { containerDirectory, refusalAt } from '../container-client.ts';
import { interruptible } from '../interruptible.ts';
import { STDIO, unpackerFor } from '../packing.ts';
import { piped } from '../piped.ts';
import { MOUNT_OPTION, treeAt } from '../place.ts';
import { progressOf } from '../progress.ts';
import { counting } from './checkpoint.ts';

const REMOVE_TIMEOUT_MS = 60_000;

/** Containers in one another that are looked for. */
const DEPTH_LIMIT = 64;

export const restore = defineCommand({
  name: 'restore',
  summary: 'make a container run on from such a file',
  usage: '[OPTION…] FILE NAME',
  details: [
    'FILE is one of nsdir checkpoint, or what tar made of a container’s directory; - is standard input, an archive that is not packed. NAME is the container to be made; it ' +
      'must not be there. It goes on from where it was saved. If it cannot, it is not made, and the reason is told.',
  ],
  options: {
    'accept-changed-files': {
      type: 'boolean',
      summary: 'go on also if files that it had open have another size now: with the size they have',
    },
    ...MOUNT_OPTION,
  },
  words: [2, 2],
  async run({ values, words: [file = '', name = ''] }) {
    const directory = containerDirectory(await treeAt(values.mount), name);
    const source = file === STDIO ? file : path.resolve(file);
    const unpacker = await unpackerFor(source);
    await make(directory);
    try {
      const accept = values['accept-changed-files'] === true;
      await interruptible((signal) => unpack(source, unpacker, directory, accept ? ['--exclude=.state'] : [], signal));
      if (accept) await startAll(directory, DEPTH_LIMIT);
      if (!(await hasRestored(directory))) throw new Failure(`${file} has no processes: it was not saved while it ran`);
    } catch (error) {
      const why = await refusalAt(directory).catch(() => undefined);
      const { status, stderr } = await runBounded('rm', ['-rf', '--', directory], REMOVE_TIMEOUT_MS);
      if (status !== 0)
        process.stderr.write(`nsdir restore: Cannot remove ${directory}, which is half made: ${stderr}\n`);
      if (why !== undefined) throw new Failure(why);
      throw error;
    }
    return 0;
  },
});

async function make(directory: string): Promise<void> {
  try {
    await mkdir(directory);
  } catch (error) {
    const errno = systemErrno(error);
    if (errno === 'EEXIST') {
      throw new Failure(`${directory} is there already: give another name, or remove it first: rm -rf ${directory}`);
    }
    const parent = path.dirname(directory);
    const remedy = errno === 'ENOENT' ? `; make ${parent} first: mkdir ${parent}` : '';
    throw new Failure(`Cannot make ${directory}: ${errno ?? String(error)}${remedy}`);
  }
}

/** What tar and the unpackers say of a file that ends too early. */
const CUT_SHORT = /unexpected (EOF|end)|ends unexpectedly|premature|truncated/i;

async function unpack(
  file: string,
  unpacker: readonly [string, ...string[]],
  directory: string,
  options: readonly string[],
  signal: AbortSignal,
): Promise<void> {
  const size = file === STDIO ? 0 : (await stat(file)).size;
  using progress = progressOf(path.basename(directory), size);
  const packing = piped(unpacker, signal);
  const tar = piped(['tar', 'xf', '-', '-C', directory, '--strip-components=1', ...options], signal);
  tar.stdout.resume();
  const source = file === STDIO ? process.stdin : createReadStream(file);
  // If one of them ends early, it says why.
  await Promise.allSettled([pipeline(source, counting(progress), packing.stdin), pipeline(packing.stdout, tar.stdin)]);
  const [unpacked, written] = await Promise.all([packing.ended, tar.ended]);
  signal.throwIfAborted();
  const said = [unpacked, written].filter(({ status }) => status !== 0).flatMap(({ said: lines }) => lines.slice(0, 1));
  if (said.some((line) => CUT_SHORT.test(line)))
    throw new Failure(`${file} is cut short: the end of the archive is missing`);
  if (written.status !== 0 || unpacked.status !== 0) {
    throw new Failure(`Cannot unpack ${file}: ${said[0] ?? `tar: status ${written.status}`}`);
  }
}

/** Has what arrived run on, the outer ones first. */
async function startAll(directory: string, depth: number): Promise<void> {
  if ((await readdir(path.join(directory, '.checkpoint')).catch(() => [])).length > 0) {
    await writeFile(path.join(directory, '.state'), `running ${ACCEPT_CHANGED_FILES}\n`);
  }
  if (depth === 0) return;
  for (const name of await readdir(directory)) {
    if (!name.startsWith('.')) await startAll(path.join(directory, name), depth - 1);
  }
}

async function hasRestored(directory: string): Promise<boolean> {
  return (await stat(path.join(directory, '.init')).catch(() => undefined)) !== undefined || (await isLive(directory));
}

async function isLive(directory: string): Promise<boolean> {
  return (await stat(path.join(directory, '.procs')).catch(() => undefined)) !== undefined;
}
