import { type FileAccess, readIfThere, readlinkIfAllowed } from '../files.ts';
import { PID_MAX, pid as checkedPid, type Pid } from '../ids.ts';
import { NAMESPACE_KINDS } from '../namespaces.ts';
import { isKernelThread, isZombie } from './process.ts';
import { parseStat } from './parse.ts';

/** What tells who a process is, and whose child. */
export interface ProcessReading {
  readonly pid: Pid;
  /** Clock ticks since boot. */
  readonly startTime: number;
  readonly ppid: Pid;
  readonly zombie: boolean;
}

/** Field 38 of proc_pid_stat(5), `exit_signal`, is -1 for a thread that is not the first of its process. */
const EXIT_SIGNAL_FIELD = 38;

/** Some 15 µs. `undefined` if nobody has this pid, or a thread has it, or a thread of the kernel. */
export function readProcess(files: FileAccess, pid: Pid): ProcessReading | undefined {
  const text = readIfThere(files, `/proc/${pid}/stat`);
  const stat = text === undefined ? undefined : parseStat(text);
  if (text === undefined || stat === undefined || isKernelThread(stat)) return undefined;
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  if (fields[EXIT_SIGNAL_FIELD - 3] === '-1') return undefined;
  return { pid, startTime: stat.starttime, ppid: stat.ppid as Pid, zombie: isZombie(stat) };
}

/**
 * Inode numbers of the namespaces a process's children will be in, in the order of NAMESPACE_KINDS, '' for a link that is
 * not there; some 50 µs. `undefined` if none may be read: it is gone, dead, or not ours to look at (PTRACE_MODE_READ).
 */
export function readLinks(files: FileAccess, pid: Pid): string[] | undefined {
  const links: string[] = [];
  for (const { link } of NAMESPACE_KINDS) {
    const target = readlinkIfAllowed(files, `/proc/${pid}/ns/${link}`);
    // The first is there for everybody who may be looked at.
    if (target === undefined && links.length === 0) return undefined;
    links.push(target === undefined ? '' : target.slice(target.indexOf('[') + 1, -1));
  }
  return links;
}

/** Text of /proc/PID/cgroup; empty if it is gone. */
export function readCgroups(files: FileAccess, pid: Pid): string {
  return readIfThere(files, `/proc/${pid}/cgroup`) ?? '';
}

/** Pids that are looked at one by one rather than by listing /proc. */
const PROBE_LIMIT = 256;

/**
 * How often /proc is listed while processes come and go: for pids out of the order (clone3 with `set_tid`), and for those
 * that ended.
 */
const RELIST_MS = 5_000;

/** The last pid that was given, to a process or to a thread (proc_loadavg(5)); NaN if that is not told. */
export function lastPid(files: FileAccess): number {
  return Number((readIfThere(files, '/proc/loadavg') ?? '').split(' ')[4]);
}

/** What changed since the last look. */
export interface PidNews {
  /** Pids somebody may have got; they may be threads'. Empty if nobody was made, and where /proc has to be listed. */
  readonly candidates: readonly Pid[];
  /** Who was made or has ended is not to be known but by a list of all. */
  readonly wantsAll: boolean;
  /** Whether any task came or went. */
  readonly stirred: boolean;
}

/**
 * Finds new processes at a cost that does not grow with their number: /proc/loadavg tells the last pid given and how many
 * tasks there are, and pids are given in order.
 */
export class PidWatch {
  readonly #files: FileAccess;
  #last = -1;
  #tasks = '';
  #listAtMs = 0;
  #stale = true;

  constructor(files: FileAccess) {
    this.#files = files;
  }

  /** The next look wants a list: something was missed. */
  distrust(): void {
    this.#stale = true;
  }

  /** `isTold`: whoever is made is heard of otherwise. With `wantsAll` it counts on it that /proc is listed now. */
  news(nowMs: number, isTold: boolean): PidNews {
    const [, , , entities = '', lastText = ''] = (readIfThere(this.#files, '/proc/loadavg') ?? '').split(' ');
    const last = Number(lastText);
    const tasks = entities.split('/')[1] ?? '';
    const stirred = last !== this.#last || tasks !== this.#tasks;
    const span = last - this.#last;
    this.#stale ||= stirred && nowMs >= this.#listAtMs;
    const wantsAll = this.#stale || (!isTold && (span < 0 || span > PROBE_LIMIT));
    const first = this.#last + 1;
    this.#last = last;
    this.#tasks = tasks;
    if (wantsAll) {
      this.#stale = false;
      this.#listAtMs = nowMs + RELIST_MS;
      return { candidates: [], wantsAll, stirred: true };
    }
    const length = isTold ? 0 : span;
    const candidates = Array.from({ length }, (_, index) => checkedPid(Math.min(first + index, PID_MAX)));
    return { candidates, wantsAll, stirred };
  }
}
