import { contains, isLive, chainOf } from '../../container/container.ts';
import { cgroupOfInit } from '../../container/kill-found.ts';
import { ROOT_SERIAL } from '../../ids.ts';
import { S_IFLNK } from '../filesystem.ts';
import type { ControlEntry } from './entry.ts';

/** The container's cgroup directory on the cgroup v2 mount, so every kernel knob is at hand. */
export const cgroup: ControlEntry = {
  entry: 13,
  name: '.cgroup',
  mode: () => S_IFLNK | 0o777,
  present: isLive,
  target: (container, places) => (container.found ? undefined : places.cgroupOf(container)),
  resolve: (machine, container) =>
    container.found && (cgroupOfInit(machine, container) ?? machine.hierarchy.mountPoint),
};

/** The caller's container, relative to this directory; ENOENT for a caller that is not in or below it. */
export const self: ControlEntry = {
  entry: 16,
  name: '.self',
  mode: () => S_IFLNK | 0o777,
  present: () => true,
  listed: ({ serial }) => serial === ROOT_SERIAL,
  resolve(machine, container, { caller }) {
    const own = machine.containerOf(caller.pid);
    if (!own || !contains(container, own)) return undefined;
    const names = chainOf(own).slice(chainOf(container).length);
    return names.map(({ name }) => name).join('/') || '.';
  },
};
