import { openSync, readFileSync, readSync } from 'node:fs';

/** A page or two is what such a file has; a longer one is read by its path. */
const LIMIT_BYTES = 16_384;

/**
 * A file of /proc/self that is asked for often, held open: what it says now is one pread(2) from its beginning, for which
 * the kernel writes it anew and whole (fs/seq_file.c: single_open). The result throws what read(2) throws.
 */
export function keptText(path: string): () => string {
  const fd = openSync(path, 'r');
  const buffer = Buffer.alloc(LIMIT_BYTES);
  return () => {
    const length = readSync(fd, buffer, 0, LIMIT_BYTES, 0);
    return length < LIMIT_BYTES ? buffer.toString('utf8', 0, length) : readFileSync(path, 'utf8');
  };
}
