import type { FileAccess } from '../files.ts';
import { readIfThere } from '../files.ts';
import type { Pid } from '../ids.ts';
import { forEachPaced } from '../pace.ts';
import { processes, threads } from './cgroup.ts';
import { pageSizeBytes } from './page-size.ts';
import { parseFlatKeyed, words } from './text.ts';

/** One line of a container's `.stat`, as cgroup v2's flat keyed files have them. Times in µs, sizes in bytes. */
export type StatRecord = readonly [key: string, value: number | 'cgroup' | 'proc'];

/** How many processes are summed where there is no memory controller; what is beyond is left out. */
export const SUMMED_PROCESSES_LIMIT = 20_000;

/**
 * What a cgroup and all below it use. `memory.source` says where `memory.current` is from: `cgroup`, the memory controller,
 * or `proc`, the resident pages of all processes, where shared pages count for each. `pids.current` counts threads.
 * `io.*` only with the io controller. No record but `memory.*` and `pids.current` if the cgroup is gone.
 */
export async function accounting(files: FileAccess, directory: string): Promise<StatRecord[]> {
  return [
    ...cpuRecords(files, directory),
    ...(await memoryRecords(files, directory)),
    ['pids.current', numberIn(files, `${directory}/pids.current`) ?? (await threads(files, directory)).length],
    ...ioRecords(files, directory),
  ];
}

/** The same for the whole machine, kernel threads included: the root cgroup has few files, so /proc answers. */
export function machineAccounting(files: FileAccess, hierarchyRoot: string): StatRecord[] {
  const meminfo = parseFlatKeyed((readIfThere(files, '/proc/meminfo') ?? '').replaceAll(':', ''));
  const usedKib = (meminfo.get('MemTotal') ?? 0) - (meminfo.get('MemAvailable') ?? 0);
  // proc_loadavg(5): the fourth field is RUNNING/EXISTING scheduling entities.
  const [, , , entities = '0/0'] = words(readIfThere(files, '/proc/loadavg') ?? '');
  return [
    ...cpuRecords(files, hierarchyRoot),
    ['memory.current', usedKib * 1024],
    ['memory.source', 'proc'],
    ['pids.current', Number(entities.split('/')[1] ?? 0)],
    ...ioRecords(files, hierarchyRoot),
  ];
}

/** The same for processes that have no cgroup of their own: what those that live now have used (proc_pid_stat(5)). */
export async function processAccounting(files: FileAccess, pids: readonly Pid[]): Promise<StatRecord[]> {
  let [user, system, threadCount] = [0, 0, 0];
  await forEachPaced(pids.slice(0, SUMMED_PROCESSES_LIMIT), (pid) => {
    const text = readIfThere(files, `/proc/${pid}/stat`) ?? '';
    const fields = words(text.slice(text.lastIndexOf(')') + 1));
    // Fields 14, 15 and 20, counted as the manual page does; the first of these words is field 3.
    user += Number(fields[11] ?? 0) * TICK_USEC;
    system += Number(fields[12] ?? 0) * TICK_USEC;
    threadCount += Number(fields[17] ?? 0);
  });
  return [
    ['cpu.usage_usec', user + system],
    ['cpu.user_usec', user],
    ['cpu.system_usec', system],
    ['memory.current', await residentBytes(files, pids)],
    ['memory.source', 'proc'],
    ['pids.current', threadCount],
  ];
}

/** USER_HZ is 100 on every machine that runs this (sysconf(3), _SC_CLK_TCK). */
const TICK_USEC = 10_000;

/** The text of a `.stat` file. */
export function statText(records: readonly StatRecord[]): string {
  return records.map(([key, value]) => `${key} ${value}\n`).join('');
}

/** `cpu.stat` is there without the cpu controller too (cgroup-v2.rst). */
const CPU_KEYS = ['usage_usec', 'user_usec', 'system_usec'] as const;

function cpuRecords(files: FileAccess, directory: string): StatRecord[] {
  const stat = parseFlatKeyed(readIfThere(files, `${directory}/cpu.stat`) ?? '');
  return CPU_KEYS.flatMap((key): StatRecord[] => {
    const value = stat.get(key);
    return value === undefined ? [] : [[`cpu.${key}`, value]];
  });
}

async function memoryRecords(files: FileAccess, directory: string): Promise<StatRecord[]> {
  const current = numberIn(files, `${directory}/memory.current`);
  return [
    ['memory.current', current ?? (await residentBytes(files, await processes(files, directory)))],
    ['memory.source', current === undefined ? 'proc' : 'cgroup'],
  ];
}

/** Sum of the resident set sizes of those that still live (proc_pid_statm(5), second field, in pages). */
async function residentBytes(files: FileAccess, pids: readonly Pid[]): Promise<number> {
  let pages = 0;
  await forEachPaced(pids.slice(0, SUMMED_PROCESSES_LIMIT), (pid) => {
    pages += Number(readIfThere(files, `/proc/${pid}/statm`)?.split(' ')[1] ?? 0);
  });
  return pages * pageSizeBytes(files);
}

const IO_KEYS = ['rbytes', 'wbytes'] as const;

/** `io.stat` has one line per device: `8:0 rbytes=1 wbytes=2 …`. Absent without the io controller. */
function ioRecords(files: FileAccess, directory: string): StatRecord[] {
  const text = readIfThere(files, `${directory}/io.stat`);
  if (text === undefined) return [];
  const values = words(text).map((word) => word.split('='));
  return IO_KEYS.map((key) => {
    const sum = values.filter(([name]) => name === key).reduce((total, [, value]) => total + Number(value), 0);
    return [`io.${key}`, sum];
  });
}

function numberIn(files: FileAccess, path: string): number | undefined {
  const text = readIfThere(files, path);
  return text === undefined ? undefined : Number(text);
}
