import { appendFileSync, fstatSync, readFileSync, writeFileSync } from 'node:fs';
import { FsError, systemErrno } from '../../src/errno.ts';
import type { BackingFiles } from '../../src/kernel/backing-files.ts';
import type { NodeId } from '../../src/tree/node-id.ts';

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

  /** `paper`: where it is written down. */
  constructor(files: BackingFiles, paper: string) {
    this.#files = files;
    this.#paper = paper;
    for (const { node, handle, id, file } of readLines(paper)) {
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
    this.#note(`+ ${node} ${handle} ${passed.id} ${file}\n`);
    passed.handles.add(handle);
    this.#passed.set(node, passed);
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
    } catch (error) {
      // Without room the next daemon does not know of it; that is no reason to refuse it now.
      if (systemErrno(error) === undefined) throw error;
    }
  }
}

interface Line {
  readonly node: NodeId;
  readonly handle: number;
  readonly id: number;
  readonly file: string;
}

/** What was begun and did not end. A line that is torn is none. */
function readLines(paper: string): Line[] {
  const begun = new Map<string, Line>();
  for (const line of textOf(paper).split('\n').slice(0, -1)) {
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
