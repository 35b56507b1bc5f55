import { isLive } from '../../container/container.ts';
import { signalAll } from '../../container/signal.ts';
import { ROOT_SERIAL } from '../../ids.ts';
import { S_IFREG } from '../filesystem.ts';
import type { ControlEntry } from './entry.ts';

/** Write-only: a signal's name or number, for every process of the subtree. */
export const signal: ControlEntry = {
  entry: 8,
  name: '.signal',
  mode: () => S_IFREG | 0o200,
  present: (container) => isLive(container) && container.serial !== ROOT_SERIAL,
  text: () => '',
  write: (machine, container, request, text) => signalAll(machine, container, request, text),
};
