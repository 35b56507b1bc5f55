import { open } from 'node:fs/promises';
import { Failure } from './command.ts';

/** How a file is packed: by its name when it is made, by its first bytes when it is read. */
const PACKINGS = [
  { suffix: /\.(zst|tzst)$/, magic: '28b52ffd', pack: ['zstd', '-q', '-T0', '-c'], unpack: ['zstd', '-q', '-d', '-c'] },
  { suffix: /\.(gz|tgz)$/, magic: '1f8b', pack: ['gzip', '-c'], unpack: ['gzip', '-d', '-c'] },
  { suffix: /\.(bz2|tbz|tbz2)$/, magic: '425a68', pack: ['bzip2', '-c'], unpack: ['bzip2', '-d', '-c'] },
  { suffix: /\.(xz|txz)$/, magic: 'fd377a585a00', pack: ['xz', '-T0', '-c'], unpack: ['xz', '-d', '-c'] },
  { suffix: /\.tar$/, magic: '', pack: ['cat'], unpack: ['cat'] },
] as const;

const MAGIC_BYTES = 6;

/** As a message names them. */
export const PACKING_SUFFIXES = '.tar, .tar.zst, .tar.gz (.tgz), .tar.bz2 (.tbz) or .tar.xz (.txz)';

/** Instead of a file: standard input or output, which is not packed. */
export const STDIO = '-';

/** The command that packs standard input for a file of this name. Throws Failure for a name that tells none. */
export function packerFor(file: string): readonly [string, ...string[]] {
  const found = PACKINGS.find(({ suffix }) => suffix.test(file));
  if (found) return found.pack;
  throw new Failure(`${file}: the name tells how it is packed: ${PACKING_SUFFIXES}`);
}

/** The command that unpacks standard input, which is this file. Throws Failure if it cannot be read. */
export async function unpackerFor(file: string): Promise<readonly [string, ...string[]]> {
  if (file === STDIO) return ['cat'];
  try {
    const handle = await open(file, 'r');
    try {
      const { buffer, bytesRead } = await handle.read(Buffer.alloc(MAGIC_BYTES), 0, MAGIC_BYTES, 0);
      const begin = buffer.toString('hex', 0, bytesRead);
      return PACKINGS.find(({ magic }) => begin.startsWith(magic))?.unpack ?? ['cat'];
    } finally {
      await handle.close();
    }
  } catch (error) {
    throw new Failure(`Cannot read ${file}: ${(error as Error).message}`);
  }
}
