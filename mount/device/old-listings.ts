import type { Change } from '../../src/container/change.ts';
import type { Container } from '../../src/container/container.ts';
import { hiddenNow } from '../../src/container/hiding.ts';
import { altersListing } from '../../src/container/listing-changes.ts';
import type { Registry } from '../../src/container/registry.ts';
import { proxy } from '../../src/tree/control/proxy.ts';
import { directoriesOf } from '../../src/tree/control/table.ts';
import { directoryId, nodeId, type NodeId } from '../../src/tree/node-id.ts';

/**
 * Directories of which the kernel's listing, attributes or name is old after a change, which `registry` has. `isKept`: whether
 * it may have a listing of the container's `.proxy`.
 */
export function oldListings(
  registry: Registry,
  change: Change,
  atMs: number,
  isKept: (container: Container) => boolean,
): NodeId[] {
  const container = registry.get(change.serial);
  switch (change.op) {
    case 'found':
    case 'lost':
      return cameOrWent(registry.get(change.parent), atMs);
    case 'drop':
      // Its name lives on in the kernel: it asks what that is now.
      return change.parent === undefined
        ? []
        : [...cameOrWent(registry.get(change.parent), atMs), directoryId(change.serial)];
    case 'enter':
      return outwards(container)
        .filter(isKept)
        .map(({ serial }) => nodeId(serial, proxy.entry));
    default:
      return container && altersListing(change) && !isBeingRemoved(container, atMs)
        ? directoriesOf(container.serial)
        : [];
  }
}

function cameOrWent(parent: Container | undefined, atMs: number): NodeId[] {
  return parent && !isBeingRemoved(parent, atMs) ? [directoryId(parent.serial)] : [];
}

/** A container that is being removed is looked at by nobody but its remover, whose listing must not change. */
function isBeingRemoved(container: Container, atMs: number): boolean {
  return hiddenNow(container, atMs) !== 0;
}

/** It, and all it is in: `.proxy` lists who entered it or one below. */
function outwards(container: Container | undefined): Container[] {
  const containers: Container[] = [];
  for (let at = container; at; at = at.parent) containers.push(at);
  return containers;
}
