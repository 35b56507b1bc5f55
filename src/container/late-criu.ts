import { readFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { DUMP_LOG } from '../checkpoint/arguments.ts';
import { pid as checkedPid, type Pid } from '../ids.ts';
import { pin, signalPinned } from '../proc/pinned.ts';
import { readStat } from '../proc/process.ts';
import type { ImagePlace } from './images.ts';
import type { Machine } from './machine.ts';

/** Generations of programs that criu has others start. */
const DEPTH_LIMIT = 32;

const { SIGKILL } = os.constants.signals;

/**
 * In criu's log: from here on it has changed what it saves, locked a network or put code into a process, and nobody but
 * criu can undo that.
 */
const BEYOND_RECALL = /Lock network|Dumping task \(pid/;

/**
 * To be called again and again for a criu that saves for too long, until it has ended. What it waits for is killed, if that
 * is a program of its own: then it fails, and undoes what it did. Itself is killed only while it has done nothing but stop
 * the processes, which go on when it is gone. Else it is left alone for now. `criu` is a child that was not reaped.
 */
export function pressCriu(machine: Machine, criu: Pid, { work }: ImagePlace): void {
  const { log } = machine;
  const helpers = descendantsOf(machine, criu);
  if (helpers.length === 0 && BEYOND_RECALL.test(readOrNothing(path.join(work, DUMP_LOG)))) {
    log.warn({ criu }, 'criu takes too long, and cannot be ended where it is');
    return;
  }
  for (const pid of helpers.length > 0 ? helpers : [criu]) {
    const found = pin(machine.files, pid);
    if (found) signalPinned(machine, found, SIGKILL);
  }
  log.warn({ criu, helpers }, 'criu takes too long: ended');
}

/** Its children, and theirs; whom it has hold of is none. */
function descendantsOf({ files }: Machine, ancestor: Pid): Pid[] {
  const parents = new Map<number, number>();
  for (const name of files.readdirSync('/proc')) {
    const pid = /^[1-9][0-9]*$/.test(name) ? checkedPid(Number(name)) : undefined;
    const stat = pid && readStat(files, pid);
    if (stat) parents.set(stat.pid, stat.ppid);
  }
  const isBelow = (pid: number, depth = 0): boolean => {
    const parent = parents.get(pid);
    return parent === ancestor || (parent !== undefined && depth < DEPTH_LIMIT && isBelow(parent, depth + 1));
  };
  return [...parents.keys()].filter((pid) => isBelow(pid)).map((pid) => checkedPid(pid));
}

function readOrNothing(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
