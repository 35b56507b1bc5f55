import { appendFileSync, fstatSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { FsError, systemErrno } from '../../src/errno.ts';
import type { BackingFiles } from '../../src/kernel/backing-files.ts';
import type { NodeId } from '../../src/tree/node-id.ts';

/** Beyond it, or twice what was left the last time, lines of what has ended are thrown away. */
const COMPACT_ABOVE_BYTES = 1 << 16;

/** A node whose files the kernel reads and writes itself. */
interface Passed {
  readonly id: number;
  /** Of the file on disk, `device:inode`: a node of a former daemon may have been another. */
  readonly file: string;
  readonly handles: Set<number>;
}

/**
 * Which files of the disk the kernel reads and writes by itself (FUSE_PASSTHROUGH), at the speed of that disk: no byte of them
 * comes through here. All that have a node open at once must do so through the same number, so numbers are written down before
 * the kernel hears of them: those who have it open outlive a daemon, and what nobody takes back stays on the disk, though
 * removed, as long as the mount.
 */
export class Passthrough {
  readonly #files: BackingFiles;
  readonly #paper: string;
  readonly #passed = new Map<NodeId, Passed>();
  #unsupported = false;
  #bytes: number;
  #compactAbove = COMPACT_ABOVE_BYTES;

  /** `paper`: where it is written down. */
  constructor(files: BackingFiles, paper: string) {
    this.#files = files;
    this.#paper = paper;
    const text = textOf(paper);
    this.#bytes = text.length;
    for (const { node, handle, id, file } of linesIn(text)) {
      const passed = this.#passed.get(node) ?? { id, file, handles: new Set() };
      this.#passed.set(node, passed);
      passed.handles.add(handle);
    }
  }

  /** The number by which the kernel finds the open file `fd`; `undefined` if it is to ask here. */
  begin(node: NodeId, handle: number, fd: number): number | undefined {
    const { dev, ino } = fstatSync(fd);
    const file = `${dev}:${ino}`;
    const passed = this.#passed.get(node) ?? this.#open(fd, file);
    if (passed?.file !== file) return undefined;
    passed.handles.add(handle);
    this.#passed.set(node, passed);
    this.#note(lineOf(node, handle, passed));
    return passed.id;
  }

  /** To be called for every handle that is released. */
  end(node: NodeId, handle: number): void {
    const passed = this.#passed.get(node);
    if (!passed?.handles.delete(handle)) return;
    if (passed.handles.size === 0) {
      this.#passed.delete(node);
      this.#close(passed.id);
    }
    this.#note(this.#passed.size === 0 ? undefined : `- ${node} ${handle}\n`);
  }

  #open(fd: number, file: string): Passed | undefined {
    if (this.#unsupported) return undefined;
    try {
      return { id: this.#files.open(fd), file, handles: new Set() };
    } catch (error) {
      if (!(error instanceof FsError)) throw error;
      // The kernel does not know it, or not on this kind of disk.
      this.#unsupported = true;
      return undefined;
    }
  }

  #close(id: number): void {
    try {
      this.#files.close(id);
    } catch (error) {
      // Of a device that is gone, say.
      if (!(error instanceof FsError)) throw error;
    }
  }

  /** `undefined`: nothing that was written down counts any more. */
  #note(line: string | undefined): void {
    try {
      if (line === undefined) writeFileSync(this.#paper, '', { mode: 0o600 });
      else appendFileSync(this.#paper, line, { mode: 0o600 });
      this.#bytes = line === undefined ? 0 : this.#bytes + line.length;
      if (this.#bytes > this.#compactAbove) this.#compact();
    } catch (error) {
      // Without room the next daemon does not know of it; that is no reason to refuse it now.
      if (systemErrno(error) === undefined) throw error;
    }
  }

  /** At once or not at all: the daemon may die at any moment. The limit grows with what is left, so that it pays. */
  #compact(): void {
    const lines = [...this.#passed].flatMap(([node, passed]) =>
      [...passed.handles].map((handle) => lineOf(node, handle, passed)),
    );
    const text = lines.join('');
    writeFileSync(`${this.#paper}.new`, text, { mode: 0o600 });
    renameSync(`${this.#paper}.new`, this.#paper);
    this.#bytes = text.length;
    this.#compactAbove = Math.max(COMPACT_ABOVE_BYTES, 2 * text.length);
  }
}

function lineOf(node: NodeId, handle: number, { id, file }: Passed): string {
  return `+ ${node} ${handle} ${id} ${file}\n`;
}

interface Line {
  readonly node: NodeId;
  readonly handle: number;
  readonly id: number;
  readonly file: string;
}

/** What was begun and did not end. A line that is torn is none. */
function linesIn(text: string): Line[] {
  const begun = new Map<string, Line>();
  for (const line of text.split('\n').slice(0, -1)) {
    const [sign, node = '', handle = '', id = '', file = ''] = line.split(' ');
    const key = `${node} ${handle}`;
    if (sign === '-') begun.delete(key);
    else begun.set(key, { node: Number(node) as NodeId, handle: Number(handle), id: Number(id), file });
  }
  return [...begun.values()];
}

function textOf(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
