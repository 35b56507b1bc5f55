import type { FileHandle } from 'node:fs/promises';

const BLOCK_BYTES = 1 << 16;
const NEWLINE = 0x0a;

/** Offset where the last `lines` lines begin, found from the end in blocks. A last line without newline counts. */
export async function startOfLastLines(file: Pick<FileHandle, 'read' | 'stat'>, lines: number): Promise<number> {
  const { size } = await file.stat();
  if (lines === 0) return size;
  const block = Buffer.alloc(BLOCK_BYTES);
  let wanted = lines;
  for (let end = size; end > 0;) {
    const start = Math.max(0, end - BLOCK_BYTES);
    const { bytesRead } = await file.read(block, 0, end - start, start);
    for (let at = bytesRead - 1; at >= 0; at -= 1) {
      // The newline that ends the file ends its last line, and begins none.
      if (block[at] !== NEWLINE || start + at === size - 1) continue;
      wanted -= 1;
      if (wanted === 0) return start + at + 1;
    }
    end = start;
  }
  return 0;
}
