import { freeName, nameFrom } from '../discovery/naming.ts';
import { readIfThere, type FileAccess } from '../files.ts';
import type { Pid } from '../ids.ts';
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
  const parentCommand = (readIfThere(files, `/proc/${ppid}/cmdline`) ?? '').split('\0');
  return freeName(nameFrom({ cgroup, makersCgroup, parentCommand }), (name) => parent.children.has(name));
}
