import { Volume } from 'memfs';
import type { FileAccess } from '../../src/files.ts';

/** A process of a fake /proc. What is left out is that of an ordinary process. */
export interface FakeProcess {
  readonly pid: number;
  readonly comm?: string;
  readonly state?: string;
  readonly ppid?: number;
  readonly flags?: number;
  readonly starttime?: number;
  readonly nsPids?: readonly number[];
  /** Inode number by name in /proc/PID/ns. */
  readonly ns?: Readonly<Record<string, number>>;
}

/** Puts a process into a memfs volume's /proc. */
export function addProcess(volume: Volume, process: FakeProcess): void {
  const { pid, comm = 'sh', state = 'S', ppid = 1, flags = 0x400000, starttime = 100 + pid } = process;
  const directory = `/proc/${pid}`;
  volume.mkdirSync(`${directory}/ns`, { recursive: true });
  const stat = [state, ppid, pid, pid, 0, -1, flags, 0, 0, 0, 0, 0, 0, 0, 0, 20, 0, 1, 0, starttime, 4096, 1];
  volume.writeFileSync(`${directory}/stat`, `${pid} (${comm}) ${stat.join(' ')}\n`);
  const nsPids = process.nsPids ?? [pid];
  volume.writeFileSync(
    `${directory}/status`,
    `Name:\t${comm}\nTgid:\t${pid}\nPid:\t${pid}\nNSpid:\t${nsPids.join('\t')}\n`,
  );
  for (const [link, inode] of Object.entries(process.ns ?? {})) {
    volume.symlinkSync(`${link.replace('_for_children', '')}:[${inode}]`, `${directory}/ns/${link}`);
  }
}

/** A machine whose /proc has these processes. */
export function procTree(...processes: readonly FakeProcess[]): { volume: Volume; files: FileAccess } {
  const volume = new Volume();
  volume.mkdirSync('/proc/self/ns', { recursive: true });
  for (const process of processes) addProcess(volume, process);
  return { volume, files: volume as unknown as FileAccess };
}
