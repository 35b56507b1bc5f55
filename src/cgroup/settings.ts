import { type FileAccess, readIfThere } from '../files.ts';
import { tryWriteKnob, writeKnob } from './knob.ts';
import { words } from './text.ts';

/**
 * What a user may have set on a cgroup (cgroup-v2.rst), in an order in which it can be set anew. Those of a controller the
 * cgroup does not have are missing.
 */
const SETTINGS: readonly string[] = [
  'cgroup.max.depth',
  'cgroup.max.descendants',
  'cpu.idle',
  'cpu.weight',
  'cpu.max',
  'cpu.max.burst',
  'cpuset.cpus',
  'cpuset.mems',
  'io.weight',
  'io.max',
  'memory.min',
  'memory.low',
  'memory.high',
  'memory.max',
  'memory.swap.high',
  'memory.swap.max',
  'memory.oom.group',
  'pids.max',
];

/**
 * Gives the cgroup `target` the settings of `source`, and the controllers it hands to children as far as its parent has
 * them. Throws the kernel's errno if a setting is refused: a limit must not get lost silently.
 */
export function copySettings(files: FileAccess, source: string, target: string): void {
  const handedOut = words(readIfThere(files, `${source}/cgroup.subtree_control`) ?? '').map((name) => `+${name}`);
  if (handedOut.length > 0) tryWriteKnob(files, target, 'cgroup.subtree_control', handedOut.join(' '));
  for (const knob of SETTINGS) {
    const value = readIfThere(files, `${source}/${knob}`);
    if (value === undefined || value === readIfThere(files, `${target}/${knob}`)) continue;
    // Files with a line per device take a line per write.
    for (const line of value.split('\n').filter((text) => text !== '')) writeKnob(files, target, knob, line);
  }
}
