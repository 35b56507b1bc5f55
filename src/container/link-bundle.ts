import { FsError } from '../errno.ts';
import { now } from '../time.ts';
import { isLive, pathOf, type Container } from './container.ts';
import type { Machine } from './machine.ts';

export interface Linker {
  readonly caller: { readonly uid: number };
  readonly unique: number;
}

/**
 * From now on the container is started from the OCI bundle that `text` leads to, or, without one, as any other. EACCES for
 * who does not own it, EBUSY while it runs, EPERM for what was not made here.
 */
export function linkBundle(machine: Machine, container: Container, request: Linker, text: string | undefined): void {
  const what = `change .bundle of "${pathOf(container)}"`;
  if (!container.parent || container.found) {
    throw new FsError('EPERM', `Cannot ${what}: only containers that were made here are started from bundles`);
  }
  if (request.caller.uid !== 0 && request.caller.uid !== container.uid) {
    throw new FsError('EACCES', `Cannot ${what}: that is for uid ${container.uid}, who owns it, and for root`);
  }
  if (isLive(container) || container.phase === 'removing') {
    throw new FsError('EBUSY', `Cannot ${what}: it is ${container.phase}; write stopped to its .state first`);
  }
  const { serial } = container;
  const bundle = text === undefined ? {} : { bundle: text };
  machine.store.commit([{ op: 'bundle', serial, ...bundle, at: now() }], request.unique);
}
