import { isLive, type Container } from '../../container/container.ts';
import { S_IFLNK } from '../filesystem.ts';
import type { ControlEntry } from './entry.ts';

/** The OCI bundle that the container is started from, as the link that was made has it. */
export const bundle: ControlEntry = {
  entry: 12,
  name: '.bundle',
  mode: () => S_IFLNK | 0o777,
  present: (container) => container.bundle !== undefined,
  fleeting: true,
  target: (container) => container.bundle,
};

/** Whether unlinking it takes it away; of one that runs it says what runs, and is hidden as all entries are. */
export function isRemovable(container: Container): boolean {
  return !isLive(container);
}
