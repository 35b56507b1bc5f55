import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createReadStream } from 'node:fs';
import { mkdir, readdir, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import { runBounded } from '../../../mount/device/child.ts';
import { systemErrno } from '../../errno.ts';
import { ACCEPT_CHANGED_FILES } from '../../tree/arrivals.ts';
import { defineCommand, Failure } from '../command.ts';
import { containerDirectory, refusalAt } from '../container-client.ts';
import { unpackerFor } from '../packing.ts';
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
    'FILE is one of nsdir checkpoint, or what tar made of a container’s directory. NAME is the container to be made; it ' +
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
    try {
      await mkdir(directory);
    } catch (error) {
      throw new Failure(`Cannot make ${directory}: ${systemErrno(error) ?? String(error)}`);
    }
    try {
      const accept = values['accept-changed-files'] === true;
      await unpack(path.resolve(file), directory, accept ? ['--exclude=.state'] : []);
      if (accept) await startAll(directory, DEPTH_LIMIT);
      if (!(await hasRestored(directory))) throw new Failure(`${file} has no processes: it was not saved while it ran`);
    } catch (error) {
      const why = await refusalAt(directory).catch(() => undefined);
      await runBounded('rm', ['-rf', '--', directory], REMOVE_TIMEOUT_MS);
      if (why !== undefined) throw new Failure(why);
      throw error;
    }
    return 0;
  },
});

async function unpack(file: string, directory: string, options: readonly string[]): Promise<void> {
  const [unpacker, ...arguments_] = await unpackerFor(file);
  using progress = progressOf(path.basename(directory), (await stat(file)).size);
  const pack = spawn(unpacker, arguments_, { stdio: ['pipe', 'pipe', 'inherit'] });
  const tar = spawn('tar', ['xf', '-', '-C', directory, '--strip-components=1', ...options], {
    stdio: ['pipe', 'ignore', 'pipe'],
  });
  const complaints: Buffer[] = [];
  tar.stderr.on('data', (chunk: Buffer) => complaints.push(chunk));
  const ended = once(tar, 'close') as Promise<[number | null]>;
  try {
    await Promise.all([
      pipeline(createReadStream(file), counting(progress), pack.stdin),
      pipeline(pack.stdout, tar.stdin),
    ]);
  } catch {
    // tar ended early; it says why.
  }
  const [status] = await ended;
  const said = Buffer.concat(complaints).toString().trim().split('\n')[0] ?? '';
  if (status !== 0) throw new Failure(`Cannot unpack ${file}: ${said === '' ? `tar: status ${String(status)}` : said}`);
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
