import type { Serial } from '../../ids.ts';
import { directoryId, nodeId, type NodeId } from '../node-id.ts';
import { bundle } from './bundle.ts';
import { checkpoint } from './checkpoint.ts';
import type { ControlEntry } from './entry.ts';
import { origin, unshown } from './discovered.ts';
import { events } from './events.ts';
import { init } from './init.ts';
import { cgroup, self } from './links.ts';
import { ns, nsKinds } from './ns.ts';
import { nsproxy } from './nsproxy.ts';
import { procs } from './procs.ts';
import { proxy } from './proxy.ts';
import { error, exit } from './reports.ts';
import { signal } from './signal.ts';
import { stat } from './stat.ts';
import { state } from './state.ts';

/** The control entries of a container's directory, in the order a listing shows them. */
export const CONTROL_ENTRIES: readonly ControlEntry[] = [
  state,
  init,
  nsproxy,
  ns,
  procs,
  stat,
  signal,
  events,
  exit,
  error,
  bundle,
  cgroup,
  self,
  proxy,
  checkpoint,
  origin,
  unshown,
];

/** The entries of `.ns`. */
export const NS_ENTRIES: readonly ControlEntry[] = nsKinds;

const BY_NAME = new Map(CONTROL_ENTRIES.map((row) => [row.name, row]));
/** Directories in a container's directory, with their rows by name; what `.proxy` lists are processes. */
const WITHIN = new Map<ControlEntry, ReadonlyMap<string, ControlEntry>>([
  [ns, new Map(NS_ENTRIES.map((row) => [row.name, row]))],
  [proxy, new Map()],
]);
const BY_ENTRY = new Map([...CONTROL_ENTRIES, ...NS_ENTRIES].map((row) => [row.entry, row]));

/** The row of a name in a container's directory, or in `within`, a directory there. */
export function entryNamed(name: string, within: ControlEntry | undefined): ControlEntry | undefined {
  return within ? WITHIN.get(within)?.get(name) : BY_NAME.get(name);
}

export function entryNumbered(entry: number): ControlEntry | undefined {
  return BY_ENTRY.get(entry);
}

/** The rows of a container's directory, or of `within`, a directory there. */
export function entriesOf(within: ControlEntry | undefined): readonly ControlEntry[] {
  if (!within) return CONTROL_ENTRIES;
  return within === ns ? NS_ENTRIES : [];
}

/** Ids of a container's directory and of those in it, whose listings change with its state. */
export function directoriesOf(serial: Serial): NodeId[] {
  return [directoryId(serial), nodeId(serial, ns.entry)];
}

/** Whether the row is a directory that has rows or processes in it. */
export function isSubdirectory(control: ControlEntry): boolean {
  return WITHIN.has(control);
}
