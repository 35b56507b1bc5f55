import { subtree, type Container } from './container.ts';
import type { Machine } from './machine.ts';
import type { Way } from './way.ts';
import { byBundle } from './way-bundle.ts';
import { byInit } from './way-init.ts';

/** Ways to start a container; the first that is one for it counts, and the last is one for all. */
const WAYS: readonly Way[] = [byBundle];

export function wayOf(container: Container): Way {
  return WAYS.find((way) => way.isOf(container)) ?? byInit;
}

/** The last process of each of these is gone, and nothing starts in them meanwhile. */
export async function ended(machine: Machine, top: Container): Promise<void> {
  for (const container of subtree(top)) await wayOf(container).ended?.(machine, container);
}
