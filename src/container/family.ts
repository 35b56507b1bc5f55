import type { Serial } from '../ids.ts';
import type { Timespec } from '../time.ts';
import type { Container } from './container.ts';

/** Most containers have none: they share one empty map. */
const NO_CHILDREN: ReadonlyMap<string, Container> = new Map();

/** The children's map to be changed. */
export function ownChildren(container: Container): Map<string, Container> {
  if (container.children === NO_CHILDREN) container.children = new Map();
  return container.children as Map<string, Container>;
}

export function attach(container: Container, parent: Container, name: string, at: Timespec): void {
  container.parent = parent;
  container.name = name;
  container.moving = false;
  container.ctime = at;
  ownChildren(parent).set(name, container);
  touch(parent, at);
}

export function touch(directory: Container, at: Timespec): void {
  directory.mtime = at;
  directory.ctime = at;
  directory.version += 1;
}

export function fresh(
  serial: Serial,
  parent: Container | undefined,
  name: string,
  mode: number,
  uid: number,
  gid: number,
  at: Timespec,
): Container {
  return {
    serial,
    parent,
    name,
    children: NO_CHILDREN,
    version: 0,
    mode,
    uid,
    gid,
    atime: at,
    mtime: at,
    ctime: at,
    phase: 'declared',
    inside: false,
    moving: false,
    checkpoint: 'none',
    changed: at,
    init: undefined,
    kinds: undefined,
    bundle: undefined,
    exit: undefined,
    error: undefined,
    found: undefined,
    unshown: 0,
    hidden: 0,
    hiddenAt: 0,
    stirredAt: 0,
    revealedAt: 0,
  };
}
