import type { FileHandle } from 'node:fs/promises';

const BLOCK_BYTES = 1 << 16;
const NEWLINE = 0x0a;

/** A file system's blocks are of this size or multiples of it. */
const HOLE_BYTES = 4096;
/** Unit of `st_blocks` (stat(3type)). */
const SECTOR_BYTES = 512;

/**
 * Offset where what is kept of a file begins whose beginning became a hole (`--output-limit`): with a whole line; 0 if it has
 * none. Takes as many reads as the size has bits.
 */
export async function startOfKept(file: Pick<FileHandle, 'read' | 'stat'>): Promise<number> {
  const { size, blocks } = await file.stat();
  if (blocks * SECTOR_BYTES >= size) return 0;
  const block = Buffer.alloc(HOLE_BYTES);
  const isHole = async (index: number) => {
    const { bytesRead } = await file.read(block, 0, HOLE_BYTES, index * HOLE_BYTES);
    return bytesRead === HOLE_BYTES && block.every((byte) => byte === 0);
  };
  let kept = 0;
  for (let end = Math.floor(size / HOLE_BYTES); kept < end;) {
    const middle = (kept + end) >> 1;
    if (await isHole(middle)) kept = middle + 1;
    else end = middle;
  }
  if (kept === 0) return 0;
  const { bytesRead } = await file.read(block, 0, HOLE_BYTES, kept * HOLE_BYTES);
  return kept * HOLE_BYTES + block.subarray(0, bytesRead).indexOf(NEWLINE) + 1;
}

/** Offset where the last `lines` lines begin, found from the end in blocks, not before `from`. A last line without newline counts. */
export async function startOfLastLines(
  file: Pick<FileHandle, 'read' | 'stat'>,
  lines: number,
  from = 0,
): Promise<number> {
  const { size } = await file.stat();
  if (lines === 0) return size;
  const block = Buffer.alloc(BLOCK_BYTES);
  let wanted = lines;
  for (let end = size; end > from;) {
    const start = Math.max(from, end - BLOCK_BYTES);
    const { bytesRead } = await file.read(block, 0, end - start, start);
    for (let at = bytesRead - 1; at >= 0; at -= 1) {
      // The newline that ends the file ends its last line, and begins none.
      if (block[at] !== NEWLINE || start + at === size - 1) continue;
      wanted -= 1;
      if (wanted === 0) return start + at + 1;
    }
    end = start;
  }
  return from;
}
