import type { Serial } from '../../ids.ts';
import { directoryId, nodeId, type NodeId } from '../node-id.ts';
import type { ControlEntry } from './entry.ts';
import { origin, unshown } from './discovered.ts';
import { events } from './events.ts';
import { init } from './init.ts';
import { cgroup, self } from './links.ts';
import { ns, nsKinds } from './ns.ts';
import { nsproxy } from './nsproxy.ts';
import { procs } from './procs.ts';
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
  cgroup,
  self,
  origin,
  unshown,
];

/** The entries of `.ns`. */
export const NS_ENTRIES: readonly ControlEntry[] = nsKinds;

/** Entry number of `.ns` itself. */
export const NS_DIRECTORY = ns.entry;

const BY_NAME = new Map(CONTROL_ENTRIES.map((row) => [row.name, row]));
const NS_BY_NAME = new Map(NS_ENTRIES.map((row) => [row.name, row]));
const BY_ENTRY = new Map([...CONTROL_ENTRIES, ...NS_ENTRIES].map((row) => [row.entry, row]));

/** The row of a name in a container's directory, or in its `.ns`. */
export function entryNamed(name: string, withinNs: boolean): ControlEntry | undefined {
  return (withinNs ? NS_BY_NAME : BY_NAME).get(name);
}

export function entryNumbered(entry: number): ControlEntry | undefined {
  return BY_ENTRY.get(entry);
}

/** The rows of a directory: of a container, or of its `.ns`. */
export function entriesOf(withinNs: boolean): readonly ControlEntry[] {
  return withinNs ? NS_ENTRIES : CONTROL_ENTRIES;
}

/** Ids of a container's directory and of those in it, whose listings change with its state. */
export function directoriesOf(serial: Serial): NodeId[] {
  return [directoryId(serial), nodeId(serial, NS_DIRECTORY)];
}
