import { S_IFREG } from '../filesystem.ts';
import type { ControlEntry } from './entry.ts';

/** The last init's exit status as a shell has it, until it is removed or the container starts anew. */
export const exit: ControlEntry = {
  entry: 10,
  name: '.exit',
  mode: () => S_IFREG | 0o444,
  present: (container) => container.exit !== undefined,
  text: (container) => `${container.exit ?? ''}\n`,
  report: 'exit',
};

/** Why the last refused operation was refused, one line, until it is removed or the container starts. */
export const error: ControlEntry = {
  entry: 11,
  name: '.error',
  mode: () => S_IFREG | 0o444,
  present: (container) => container.error !== undefined,
  text: (container) => `${container.error ?? ''}\n`,
  report: 'error',
};
