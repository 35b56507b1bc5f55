import { open } from 'node:fs/promises';
import { Failure } from './command.ts';

/** How a file is packed: by its name when it is made, by its first bytes when it is read. */
const PACKINGS = [
  { suffix: /\.(zst|tzst)$/, magic: '28b52ffd', pack: ['zstd', '-q', '-T0', '-c'], unpack: ['zstd', '-q', '-d', '-c'] },
  { suffix: /\.(gz|tgz)$/, magic: '1f8b', pack: ['gzip', '-c'], unpack: ['gzip', '-d', '-c'] },
  { suffix: /\.(bz2|tbz|tbz2)$/, magic: '425a68', pack: ['bzip2', '-c'], unpack: ['bzip2', '-d', '-c'] },
  { suffix: /\.tar$/, magic: '', pack: ['cat'], unpack: ['cat'] },
] as const;

const MAGIC_BYTES = 4;

/** The command that packs standard input for a file of this name. Throws Failure for a name that tells none. */
export function packerFor(file: string): readonly [string, ...string[]] {
  const found = PACKINGS.find(({ suffix }) => suffix.test(file));
  if (found) return found.pack;
  throw new Failure(`${file}: the name tells how it is packed: .tar.zst, .tar.gz, .tar.bz2 or .tar`);
}

/** The command that unpacks standard input, which is this file. Throws Failure if it cannot be read. */
export async function unpackerFor(file: string): Promise<readonly [string, ...string[]]> {
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
