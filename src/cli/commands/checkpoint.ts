import { createWriteStream } from 'node:fs';
import { readFile, rename, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { MANIFEST } from '../../checkpoint/manifest.ts';
import { systemErrno } from '../../errno.ts';
import { CHECK } from '../../tree/checkpoint-tree.ts';
import { checkpoint as checkpointEntry } from '../../tree/control/checkpoint.ts';
import { defineCommand, Failure, UsageError } from '../command.ts';
import { containerDirectory, refusalAt } from '../container-client.ts';
import { interruptible } from '../interruptible.ts';
import { packerFor, PACKING_SUFFIXES, STDIO } from '../packing.ts';
import { piped, type Piped } from '../piped.ts';
import { MOUNT_OPTION, treeAt } from '../place.ts';
import { progressOf, type Progress } from '../progress.ts';

export const checkpoint = defineCommand({
  name: 'checkpoint',
  summary: 'save a container with its processes in a file',
  usage: '[OPTION…] NAME [FILE]',
  details: [
    `FILE is what tar makes of the container’s directory, packed as its name says: ${PACKING_SUFFIXES}; - is standard ` +
      'output, which is not packed. The container and all in it are saved at one moment, and run on. nsdir restore makes one of it, and so does tar.',
    'With --check nothing is frozen and nothing is saved: it says whether that could be done, as far as it can be known.',
  ],
  options: {
    check: { type: 'boolean', summary: 'only say whether it could be saved; status 1 if not' },
    ...MOUNT_OPTION,
  },
  words: [1, 2],
  async run({ values, words: [name = '', file] }) {
    const directory = containerDirectory(await treeAt(values.mount), name);
    if ((file === undefined) !== (values.check === true)) throw new UsageError('give a FILE, or --check and none');
    if (file === STDIO && process.stdout.isTTY) throw new UsageError('an archive is nothing for a terminal');
    await check(directory);
    if (file === undefined) process.stdout.write(`${name} can be saved\n`);
    else await interruptible((signal) => save(directory, file === STDIO ? file : path.resolve(file), signal));
    return 0;
  },
});

async function check(directory: string): Promise<void> {
  await stat(directory).catch((error: unknown) => {
    throw new Failure(`Cannot find ${directory}: ${systemErrno(error) ?? String(error)}; see nsdir tree`);
  });
  try {
    await stat(path.join(directory, '.checkpoint', CHECK));
  } catch (error) {
    if (systemErrno(error) !== 'ENOENT') throw await refusal(directory, error);
    const isThere = await stat(path.join(directory, '.checkpoint')).catch(() => undefined);
    if (!isThere) throw new Failure(`Cannot save ${directory}: it does not run`);
  }
}

async function refusal(directory: string, error: unknown): Promise<Failure> {
  return new Failure((await refusalAt(directory)) ?? `Cannot save ${directory}: ${(error as Error).message}`);
}

/** The file appears when it is whole. */
async function save(directory: string, file: string, signal: AbortSignal): Promise<void> {
  const part = `${file}.part`;
  const packer = file === STDIO ? undefined : packerFor(file);
  using progress = progressOf(path.basename(directory), await expectedBytes(directory));
  // It names what it packs: that a container ended meanwhile is no complaint of tar's.
  const tar = piped(['tar', 'cvf', '-', '-C', path.dirname(directory), '--', path.basename(directory)], signal);
  tar.stdin.end();
  try {
    if (packer === undefined) await pipeline(tar.stdout, counting(progress), process.stdout, { end: false });
    else await pack(tar, packer, part, progress, signal);
    const { status, said } = await tar.ended;
    const complaints = said.filter((line) => line.startsWith('tar: ')).join('\n');
    if (status !== 0) throw await refusal(directory, new Error(complaints));
    const isSaved = said.some((name) => name.endsWith(`/${checkpointEntry.name}/${MANIFEST}`));
    if (!isSaved) throw new Failure(`${directory} had ended before its processes could be saved`);
    signal.throwIfAborted();
    if (packer !== undefined) await rename(part, file);
  } catch (error) {
    if (packer !== undefined) await rm(part, { force: true });
    if (error instanceof Failure) throw error;
    throw new Failure(`Cannot save ${directory} in ${file}: ${(error as Error).message}`);
  }
}

async function pack(
  tar: Piped,
  packer: readonly [string, ...string[]],
  part: string,
  progress: Progress,
  signal: AbortSignal,
): Promise<void> {
  const packing = piped(packer, signal);
  const [, , { status, said }] = await Promise.all([
    pipeline(tar.stdout, counting(progress), packing.stdin),
    pipeline(packing.stdout, createWriteStream(part, { mode: 0o600 })),
    packing.ended,
  ]);
  if (status !== 0) throw new Failure(`${packer[0]} failed: ${said[0] ?? `status ${status}`}`);
}

export function counting(progress: Progress): Transform {
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      progress.add(chunk.length);
      done(null, chunk);
    },
  });
}

/** Its memory, which is most of what is saved; 0 if that is not known. */
async function expectedBytes(directory: string): Promise<number> {
  const text = await readFile(path.join(directory, '.stat'), 'utf8').catch(() => '');
  return Number(/^memory\.current (\d+)$/m.exec(text)?.[1] ?? 0);
}
