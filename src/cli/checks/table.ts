import { capabilities } from './capabilities.ts';
import type { Check } from './check.ts';
import { cgroups } from './cgroups.ts';
import { criu } from './criu.ts';
import { entering } from './entering.ts';
import { fuseDevice } from './fuse-device.ts';
import { init } from './init.ts';
import { KERNEL_FEATURES } from './kernel-features.ts';
import { mountPoint } from './mount-point.ts';
import { node } from './node.ts';

/** Everything that `nsdir mount` asks before it begins, and `nsdir doctor` shows. One more is one more row. */
export const CHECKS: readonly Check[] = [
  node,
  capabilities,
  fuseDevice,
  cgroups,
  init,
  mountPoint,
  ...KERNEL_FEATURES,
  entering,
  criu,
];
