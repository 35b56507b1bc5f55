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
  readonly tgid?: number;
  readonly tracerPid?: number;
  readonly threads?: number;
  readonly seccomp?: number;
  /** Real, effective, saved, file system. */
  readonly uids?: readonly number[];
  readonly gids?: readonly number[];
  readonly groups?: readonly number[];
  readonly capPermitted?: bigint;
  readonly capEffective?: bigint;
  /** Whom its files belong to: root where it is not dumpable. Default: its effective ids. */
  readonly owner?: readonly [uid: number, gid: number];
  readonly cgroup?: string;
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
  volume.writeFileSync(`${directory}/status`, statusOf(process));
  const { uids = [0, 0, 0, 0], gids = [0, 0, 0, 0] } = process;
  const [uid, gid] = process.owner ?? [uids[1] ?? 0, gids[1] ?? 0];
  volume.writeFileSync(`${directory}/environ`, '');
  volume.chownSync(`${directory}/environ`, uid, gid);
  if (process.cgroup !== undefined) volume.writeFileSync(`${directory}/cgroup`, process.cgroup);
  for (const [link, inode] of Object.entries(process.ns ?? {})) {
    setNamespace(volume, pid, link, inode);
  }
}

/** Gives the process another namespace; `link` is its name in /proc/PID/ns. */
export function setNamespace(volume: Volume, pid: number | 'self', link: string, inode: number): void {
  const at = `/proc/${pid}/ns/${link}`;
  if ((volume.readdirSync(`/proc/${pid}/ns`) as string[]).includes(link)) volume.unlinkSync(at);
  volume.symlinkSync(`${link.replace('_for_children', '')}:[${inode}]`, at);
}

function statusOf({ pid, comm = 'sh', ...rest }: FakeProcess): string {
  const { tgid = pid, nsPids = [pid], tracerPid = 0, threads = 1, seccomp = 0 } = rest;
  const { uids = [0, 0, 0, 0], gids = [0, 0, 0, 0], groups = [], capPermitted = 0n, capEffective = 0n } = rest;
  const hex = (bits: bigint) => bits.toString(16).padStart(16, '0');
  const rows: [string, string | number][] = [
    ['Name', comm],
    ['Tgid', tgid],
    ['Pid', pid],
    ['TracerPid', tracerPid],
    ['Uid', uids.join('\t')],
    ['Gid', gids.join('\t')],
    ['Groups', groups.join(' ')],
    ['NSpid', nsPids.join('\t')],
    ['Threads', threads],
    ['CapPrm', hex(capPermitted)],
    ['CapEff', hex(capEffective)],
    ['Seccomp', seccomp],
  ];
  return rows.map(([key, value]) => `${key}:\t${value}\n`).join('');
}

/** A machine whose /proc has these processes. */
export function procTree(...processes: readonly FakeProcess[]): { volume: Volume; files: FileAccess } {
  const volume = new Volume();
  volume.mkdirSync('/proc/self/ns', { recursive: true });
  for (const process of processes) addProcess(volume, process);
  return { volume, files: volume as unknown as FileAccess };
}
