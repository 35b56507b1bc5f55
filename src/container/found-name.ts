import { freeName, nameFrom } from '../discovery/naming.ts';
import { readIfThere, type FileAccess } from '../files.ts';
import type { Pid } from '../ids.ts';
import { readStat } from '../proc/process.ts';
import type { Container } from './container.ts';

export interface FirstProcess {
  /** Text of its /proc/PID/cgroup. */
  readonly cgroup: string;
  readonly makersCgroup: string;
  readonly ppid: Pid;
}

/** A name for a set of namespaces that is free in `parent`; `undefined` if there is none. */
export function nameFor(files: FileAccess, parent: Container, first: FirstProcess): string | undefined {
  const { cgroup, makersCgroup, ppid } = first;
  const ancestors = commandsAbove(files, ppid);
  return freeName(nameFrom({ cgroup, makersCgroup, ancestors }), (name) => parent.children.has(name));
}

/** conmon(8), `runc create` and what it forks stand between a container and its monitor while it is being set up. */
const ANCESTORS_LIMIT = 4;

/** Command lines of a process and of those above it, the nearest first. */
function commandsAbove(files: FileAccess, from: Pid): string[][] {
  const commands: string[][] = [];
  for (
    let pid: Pid | undefined = from;
    pid && commands.length < ANCESTORS_LIMIT;
    pid = readStat(files, pid)?.ppid as Pid
  ) {
    commands.push((readIfThere(files, `/proc/${pid}/cmdline`) ?? '').split('\0'));
  }
  return commands;
}
