import { S_IFLNK } from '../filesystem.ts';
import type { ControlEntry } from './entry.ts';

export const init: ControlEntry = {
  entry: 3,
  name: '.init',
  mode: () => S_IFLNK | 0o777,
  present: (container) => container.init !== undefined,
  below: '',
};
