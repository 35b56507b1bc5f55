import { readFile, readlink } from 'node:fs/promises';
import path from 'node:path';
import { type FileAccess, readIfThere } from '../files.ts';
import type { Pid } from '../ids.ts';

/** Programs that copy trees, by the name the kernel has of a process (proc_pid_comm(5)) and of its executable. */
const ARCHIVERS: ReadonlySet<string> = new Set([
  ...['tar', 'gtar', 'bsdtar', 'star', 'cpio', 'bsdcpio', 'pax', 'rsync', 'cp', 'gcp', 'mv', 'gmv'],
]);

/** Programs that are many in one: what they do is their name, or their first argument. */
export const MANY_IN_ONE: ReadonlySet<string> = new Set(['busybox', 'toybox']);

/** Whether the process may be an archiver: by its name alone, which is known without any wait. */
export function mayBeArchiver(files: Pick<FileAccess, 'readFileSync'>, pid: Pid): boolean {
  if (pid === 0) return false;
  const comm = readIfThere(files as FileAccess, `/proc/${pid}/comm`)?.trim() ?? '';
  return ARCHIVERS.has(comm) || MANY_IN_ONE.has(comm);
}

/** Whether it is one. Its executable is asked for too, so that a script of this name is none. */
export async function isArchiver(pid: Pid): Promise<boolean> {
  try {
    const comm = (await readFile(`/proc/${pid}/comm`, 'utf8')).trim();
    const executable = path.basename(await readlink(`/proc/${pid}/exe`)).replace(/ \(deleted\)$/, '');
    if (ARCHIVERS.has(comm)) return ARCHIVERS.has(executable) || MANY_IN_ONE.has(executable);
    if (!MANY_IN_ONE.has(comm) || !MANY_IN_ONE.has(executable)) return false;
    const [, applet = ''] = (await readFile(`/proc/${pid}/cmdline`, 'utf8')).split('\0');
    return ARCHIVERS.has(applet);
  } catch {
    return false;
  }
}
