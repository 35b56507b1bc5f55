import { type FileAccess, ifThere } from '../files.ts';

/** Entry of the auxiliary vector that holds the page size (getauxval(3), elf.h). */
const AT_PAGESZ = 6n;
const USUAL_BYTES = 4096;
const PAIR_BYTES = 16;

/** The machine's page size, 4096 if /proc does not tell. */
export function pageSizeBytes(files: FileAccess): number {
  const vector = Buffer.from(ifThere(() => files.readFileSync('/proc/self/auxv', 'latin1')) ?? '', 'latin1');
  for (let at = 0; at + PAIR_BYTES <= vector.length; at += PAIR_BYTES) {
    if (vector.readBigUInt64LE(at) === AT_PAGESZ) return Number(vector.readBigUInt64LE(at + 8));
  }
  return USUAL_BYTES;
}
