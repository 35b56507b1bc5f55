import { isLive, type Container } from '../../container/container.ts';
import { ROOT_SERIAL } from '../../ids.ts';
import { CHECKPOINT_ENTRY } from '../checkpoint-id.ts';
import { S_IFDIR } from '../filesystem.ts';
import type { ControlEntry } from './entry.ts';

/** The directory of the container's images: which ones depends on who looks, see `CheckpointTree`. */
export const checkpoint: ControlEntry = {
  entry: CHECKPOINT_ENTRY,
  name: '.checkpoint',
  mode: () => S_IFDIR | 0o700,
  present: (container) => container.serial !== ROOT_SERIAL && (isLive(container) || isKept(container)),
  fleeting: true,
};

/** There are images for everybody to see. Else rmdir of it succeeds, and it is there all the same. */
export function isKept({ checkpoint: state }: Container): boolean {
  return state === 'held' || state === 'arriving';
}
