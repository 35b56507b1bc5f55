import { closeSync, openSync, readSync } from 'node:fs';
import path from 'node:path';
import { ownProcesses } from '../cgroup/cgroup.ts';
import { readIfThere, readlinkIfAllowed, type FileAccess } from '../files.ts';
import type { Pid } from '../ids.ts';

/** How processes stand before criu gets hold of them: what it changes, and whether its death changes that back, is seen by it. */
export interface Standing {
  /** By thread; absent for more than are looked at. */
  readonly threads: ReadonlyMap<string, Stance> | undefined;
  /** By process. */
  readonly maps: ReadonlyMap<Pid, string>;
  readonly code: ReadonlyMap<Pid, string>;
  readonly mounts: string;
}

interface Stance {
  /** As in `/proc/TID/syscall`: number and arguments of the call it is in, if any, stack pointer, instruction. */
  readonly call: readonly string[];
  /** Mask of the signals that it blocks. */
  readonly blocked: string;
  readonly state: string;
}

/** Threads of one container that are looked at, some 30 µs each; where there are more, a late criu is not ended. */
const THREADS_LOOKED_AT_LIMIT = 1024;

/** Bytes at which criu puts a system call's instruction into a process's program, for as long as that call takes. */
const CODE_BYTES = 64;

/** What criu maps into a process, and what the process keeps of it if criu dies. */
const PARASITE = /memfd:CRIUMFD/;

/** What criu has a process block while its own code runs there: all that can be. */
const BLOCKS_ALL = /^fffffffffffbfe/;

/** Of recvfrom(2), on machines that are known; criu's code waits in it for an order, with these arguments. */
const RECVFROM: Readonly<Partial<Record<string, string>>> = { x64: '45', arm64: '207' };
const ORDER_BYTES = '0xc';
const MSG_WAITALL = '0x100';

/** Bytes of an instruction that enters the kernel: criu has an interrupted call begin there again. */
const ENTRY_BYTES = 2n;

/** Of the processes of a cgroup that stand still, and of `init`'s mounts. */
export function standingOf(files: FileAccess, leaf: string, init: Pid): Standing {
  const pids = ownProcesses(files, leaf);
  const mounts = readIfThere(files, `/proc/${init}/mountinfo`) ?? '';
  const tasks = threadsOf(files, pids);
  if (tasks.length > THREADS_LOOKED_AT_LIMIT) return { threads: undefined, maps: new Map(), code: new Map(), mounts };
  const maps = new Map(pids.map((pid) => [pid, mapsOf(files, pid)]));
  return {
    threads: new Map(tasks.map((task) => [task, stanceOf(files, task)])),
    maps,
    code: new Map(pids.map((pid) => [pid, codeOf(pid, maps.get(pid) ?? '')])),
    mounts,
  };
}

/**
 * Why the processes would not go on as they were if the criu that has hold of them, and stands still, were killed;
 * `undefined` if they would. Those that wait for an order, with criu's code in them, find out by its death, and put
 * themselves right (criu's compel/plugins/std/infect.c); what that code is mapped to stays.
 */
export function harmOf(files: FileAccess, leaf: string, init: Pid, before: Standing): string | undefined {
  const { threads } = before;
  if (!threads) return `there are more than ${THREADS_LOOKED_AT_LIMIT} threads`;
  if ((readIfThere(files, `/proc/${init}/mountinfo`) ?? '') !== before.mounts) return 'its mounts are changed';
  const pids = ownProcesses(files, leaf);
  for (const pid of pids) {
    const maps = mapsOf(files, pid);
    const known = before.maps.get(pid);
    if (known === undefined) return `process ${pid} is new`;
    if (withoutParasite(maps) !== withoutParasite(known)) return `the memory of process ${pid} is changed`;
    if (codeOf(pid, maps) !== before.code.get(pid)) return `the program of process ${pid} is changed`;
    if (hasLinkMade(files, pid)) return `process ${pid} has a file open that CRIU may have made a link to`;
  }
  const moved = threadsOf(files, pids).find((task) => {
    const known = threads.get(task);
    const now = stanceOf(files, task);
    return !known || !(standsAsBefore(known, now) || waitsForOrder(files, task, now));
  });
  return moved === undefined ? undefined : `thread ${path.basename(moved)} runs CRIU’s code`;
}

/** `PID/task/TID` of each. */
function threadsOf(files: FileAccess, pids: readonly Pid[]): string[] {
  return pids.flatMap((pid) => listed(files, `/proc/${pid}/task`).map((tid) => `${pid}/task/${tid}`));
}

function stanceOf(files: FileAccess, task: string): Stance {
  const status = readIfThere(files, `/proc/${task}/status`) ?? '';
  const field = (name: string) => new RegExp(`^${name}:\\s*(\\S+)`, 'm').exec(status)?.[1] ?? '';
  const call = (readIfThere(files, `/proc/${task}/syscall`) ?? '').trim().split(' ');
  return { call, blocked: field('SigBlk'), state: field('State') };
}

function standsAsBefore(known: Stance, now: Stance): boolean {
  const [stack, at] = known.call.slice(-2);
  const [stackNow, atNow] = now.call.slice(-2);
  if (at === undefined || atNow === undefined || stack !== stackNow) return false;
  const isThere = atNow === at || (/^0x/.test(atNow) && BigInt(atNow) + ENTRY_BYTES === BigInt(at));
  return isThere && (now.blocked === known.blocked || !BLOCKS_ALL.test(now.blocked));
}

/** Criu's code, as the first thread of a process runs it, does nothing and has done all that it was told. */
function waitsForOrder(files: FileAccess, task: string, { call, state }: Stance): boolean {
  const [pid, , tid] = task.split('/');
  const [number, , , size, flags] = call;
  const at = call.at(-1) ?? '';
  if (pid !== tid || state !== 'S' || number !== RECVFROM[process.arch]) return false;
  if (size !== ORDER_BYTES || flags !== MSG_WAITALL || !at.startsWith('0x')) return false;
  return (readIfThere(files, `/proc/${pid ?? ''}/maps`) ?? '')
    .split('\n')
    .filter((line) => PARASITE.test(line))
    .some((line) => {
      const [start = 0n, end = 0n] = (line.split(' ')[0] ?? '').split('-').map((word) => BigInt(`0x${word}`));
      return start <= BigInt(at) && BigInt(at) < end;
    });
}

function mapsOf(files: FileAccess, pid: Pid): string {
  return readIfThere(files, `/proc/${pid}/maps`) ?? '';
}

function withoutParasite(maps: string): string {
  return maps
    .split('\n')
    .filter((line) => !PARASITE.test(line))
    .join('\n');
}

/** The begin of the first mapping that is executable, where criu has a process make system calls. */
function codeOf(pid: Pid, maps: string): string {
  const first = /^([0-9a-f]+)-\S+ ..x/m.exec(maps)?.[1];
  if (first === undefined) return '';
  const bytes = Buffer.alloc(CODE_BYTES);
  try {
    const fd = openSync(`/proc/${pid}/mem`, 'r');
    try {
      return bytes.subarray(0, readSync(fd, bytes, 0, CODE_BYTES, BigInt(`0x${first}`))).toString('hex');
    } finally {
      closeSync(fd);
    }
  } catch {
    return '';
  }
}

/** Files that were deleted under the name they were opened by, but not under all: criu gives them another (--link-remap). */
function hasLinkMade(files: FileAccess, pid: Pid): boolean {
  return ['fd', 'map_files'].some((kind) =>
    listed(files, `/proc/${pid}/${kind}`).some((name) => {
      const link = `/proc/${pid}/${kind}/${name}`;
      const target = readlinkIfAllowed(files, link) ?? '';
      if (!target.startsWith('/') || PARASITE.test(target)) return false;
      if (/\/\.nfs[0-9a-f]+$/.test(target)) return true;
      return target.endsWith(' (deleted)') && linksOf(files, link) > 0;
    }),
  );
}

function linksOf(files: FileAccess, link: string): number {
  try {
    return files.statSync(link).nlink;
  } catch {
    return 0;
  }
}

function listed(files: FileAccess, directory: string): string[] {
  try {
    return files.readdirSync(directory);
  } catch {
    return [];
  }
}
