import { FsError, systemErrno } from '../errno.ts';
import type { FileAccess } from '../files.ts';

/** Writes one value to a cgroup's interface file. Throws the kernel's errno with what was written, and where. */
export function writeKnob(files: FileAccess, directory: string, knob: string, value: string): void {
  const path = `${directory}/${knob}`;
  try {
    files.writeFileSync(path, value);
  } catch (cause) {
    const errno = systemErrno(cause) ?? 'EIO';
    throw new FsError(errno, `Cannot write ${JSON.stringify(value)} to ${path}: ${errno}`, { cause });
  }
}

/** As {@link writeKnob}, for what is good to have and may be refused: whether the kernel took it. */
export function tryWriteKnob(files: FileAccess, directory: string, knob: string, value: string): boolean {
  try {
    writeKnob(files, directory, knob, value);
    return true;
  } catch (error) {
    if (error instanceof FsError) return false;
    throw error;
  }
}
