import os from 'node:os';
import path from 'node:path';
import { DUMP_LOG } from '../checkpoint/arguments.ts';
import { LOG_BEGUN_ANEW, readLog } from '../checkpoint/criu.ts';
import { tryWriteKnob } from '../cgroup/knob.ts';
import { waitUntil } from '../cgroup/wait.ts';
import { readIfThere } from '../files.ts';
import { pid as checkedPid, type Pid } from '../ids.ts';
import { pin, signalPinned } from '../proc/pinned.ts';
import { isZombie, readStat } from '../proc/process.ts';
import type { PinnedProcess } from './container.ts';
import type { ImagePlace } from './images.ts';
import type { Machine } from './machine.ts';
import { harmOf, type Standing } from './standing.ts';

/** States of a process (proc_pid_stat(5)). */
const STOPPED = 'T';
const RUNS = 'R';

/** Number of ptrace(2), on machines that are known. */
const PTRACE: Readonly<Partial<Record<string, string>>> = { x64: '101', arm64: '117' };

/** Generations of programs that criu has others start. */
const DEPTH_LIMIT = 32;

const { SIGCONT, SIGKILL, SIGSTOP } = os.constants.signals;

/** How long a criu that was stopped may take to stand still. */
const STILL_LIMIT_MS = 200;

/**
 * In criu's log: from here on it has changed what it saves, locked a network or put code into a process.
 */
const HAS_CHANGED = /Lock network|Dumping task \(pid/;

/**
 * In criu's log: what only criu itself can undo. A TCP connection that it has made stand still, an interrupted sequence
 * (rseq(2)) that it is about to have begun anew; or nobody knows, because the log was begun anew.
 */
const BEYOND_RECALL = /Turning repair on|rseq critical section/;

/** What a criu works on that may have to be ended. */
export interface Dumped {
  readonly place: ImagePlace;
  /** The cgroup of the processes. */
  readonly leaf: string;
  readonly init: PinnedProcess;
  /** How they stood before. */
  readonly before: Standing;
}

/**
 * To be called again and again for a criu that saves for too long, until it has ended. What it waits for is killed, if that
 * is a program of its own: then it fails, and undoes what it did. Itself is killed where its death leaves the processes as
 * they were: while it has done nothing but stop them, or while they stand still, or wait for its orders. Else it is left
 * alone for now. `criu` is a child that was not reaped.
 */
export async function pressCriu(machine: Machine, criu: Pid, dumped: Dumped): Promise<void> {
  const { log, files } = machine;
  const helpers = descendantsOf(machine, criu);
  if (helpers.length > 0) {
    for (const pid of helpers) signal(machine, pid, SIGKILL);
    log.warn({ criu, helpers }, 'criu takes too long: what it waits for is ended');
    return;
  }
  const said = readLog(path.join(dumped.place.work, DUMP_LOG));
  if (said.startsWith(LOG_BEGUN_ANEW) || BEYOND_RECALL.test(said)) {
    log.warn({ criu }, 'criu takes too long, and cannot be ended where it is');
    return;
  }
  if (!(await standsStill(machine, criu))) return;
  const harm = HAS_CHANGED.test(said) ? harmOf(files, dumped.leaf, dumped.init.pid, dumped.before) : undefined;
  if (harm !== undefined) {
    signal(machine, criu, SIGCONT);
    log.warn({ criu, harm }, 'criu takes too long, and cannot be ended where it is');
    return;
  }
  // When they are let go by its death, they wait until all else of it is undone too.
  tryWriteKnob(files, dumped.leaf, 'cgroup.freeze', '1');
  signal(machine, criu, SIGKILL);
  log.warn({ criu }, 'criu takes too long: ended');
}

/** Stops it. False if it is in the middle of something: it does that to its end. */
async function standsStill(machine: Machine, criu: Pid): Promise<boolean> {
  signal(machine, criu, SIGSTOP);
  const stateOf = () => readStat(machine.files, criu)?.state;
  await waitUntil(() => stateOf() === STOPPED, STILL_LIMIT_MS);
  // What waits in the kernel stops when it would come back; but a ptrace(2) has its effect before.
  const [call] = (readIfThere(machine.files, `/proc/${criu}/syscall`) ?? '').split(' ');
  if (stateOf() === STOPPED || (stateOf() !== RUNS && call !== PTRACE[process.arch])) return true;
  signal(machine, criu, SIGCONT);
  machine.log.warn({ criu }, 'criu takes too long, and is in the middle of something');
  return false;
}

function signal(machine: Machine, pid: Pid, number: number): void {
  const found = pin(machine.files, pid);
  if (found) signalPinned(machine, found, number);
}

/** Its children, and theirs; whom it has hold of is none. */
function descendantsOf({ files }: Machine, ancestor: Pid): Pid[] {
  const parents = new Map<number, number>();
  for (const name of files.readdirSync('/proc')) {
    const pid = /^[1-9][0-9]*$/.test(name) ? checkedPid(Number(name)) : undefined;
    const stat = pid && readStat(files, pid);
    if (stat && !isZombie(stat)) parents.set(stat.pid, stat.ppid);
  }
  const isBelow = (pid: number, depth = 0): boolean => {
    const parent = parents.get(pid);
    return parent === ancestor || (parent !== undefined && depth < DEPTH_LIMIT && isBelow(parent, depth + 1));
  };
  return [...parents.keys()].filter((pid) => isBelow(pid)).map((pid) => checkedPid(pid));
}
