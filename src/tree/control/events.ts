import { S_IFREG } from '../filesystem.ts';
import type { ControlEntry } from './entry.ts';

/** The stream of what happens in the subtree. Reading and polling it is `EventStreams`' work. */
export const events: ControlEntry = {
  entry: 9,
  name: '.events',
  mode: () => S_IFREG | 0o444,
  present: ({ phase }) => phase !== 'declared',
  stream: true,
};
