import { capabilities } from './capabilities.ts';
import type { Adapter } from '../adapter.ts';
import type { Check } from './check.ts';
import { cgroups } from './cgroups.ts';
import { criu } from './criu.ts';
import { entering } from './entering.ts';
import { fuseDevice } from './fuse-device.ts';
import { fuseNative } from './fuse-native.ts';
import { fusermount } from './fusermount.ts';
import { init } from './init.ts';
import { limits } from './limits.ts';
import { KERNEL_FEATURES } from './kernel-features.ts';
import { mountPoint } from './mount-point.ts';
import { node } from './node.ts';
import { runtime } from './runtime.ts';
import { stateDirectory } from './state-directory.ts';
import { ownCgroup, ownIds, privateMachine, userNamespaces } from './without-root.ts';

/** What the device needs, and what it does better with. One more is one more row. */
const DEVICE_CHECKS: readonly Check[] = [
  node,
  capabilities,
  fuseDevice,
  cgroups,
  limits,
  init,
  mountPoint,
  stateDirectory,
  ...KERNEL_FEATURES,
  entering,
  criu,
  runtime,
];

/** What a user without root needs. */
const NATIVE_CHECKS: readonly Check[] = [
  node,
  fuseDevice,
  fuseNative,
  fusermount,
  userNamespaces,
  ownIds,
  ownCgroup,
  privateMachine,
  init,
  mountPoint,
  entering,
];

/** Everything that `nsdir doctor` shows; `nsdir mount` asks what is required before it begins. */
export function checksFor(adapter: Adapter): readonly Check[] {
  return adapter === 'device' ? DEVICE_CHECKS : NATIVE_CHECKS;
}
