import { UsageError } from './command.ts';
import { OWN_UID } from '../own-user.ts';

/** What speaks with the kernel: the protocol over /dev/fuse, for root, or the npm package fuse-native. */
export const ADAPTERS = ['device', 'fuse-native'] as const;
export type Adapter = (typeof ADAPTERS)[number];

/** What an option says; `undefined` if it is not given. Throws UsageError. */
export function adapterFrom(text: string | undefined): Adapter | undefined {
  const known = ADAPTERS.find((adapter) => adapter === text);
  if (text === undefined || known !== undefined) return known;
  throw new UsageError(`--adapter is ${ADAPTERS.join(' or ')}, not ${JSON.stringify(text)}`);
}

/** What may be done by who asks: root mounts by itself, others through a setuid program. */
export function usualAdapter(): Adapter {
  return OWN_UID === 0 ? 'device' : 'fuse-native';
}
