import type { Group } from '../group.ts';
import { adapters } from './adapters.ts';
import { checkpoint } from './checkpoint.ts';
import { containers } from './containers.ts';
import { create } from './create.ts';
import { discovery } from './discovery.ts';
import { enter } from './enter.ts';
import { memory } from './memory.ts';
import { requests } from './requests.ts';
import { scale } from './scale.ts';
import { thousand } from './thousand.ts';
import { walk } from './walk.ts';

/** In the order they are measured and shown. */
export const GROUPS: readonly Group[] = [
  walk,
  requests,
  create,
  containers,
  enter,
  checkpoint,
  thousand,
  memory,
  scale,
  discovery,
  adapters,
];
