import { ROOT_SERIAL } from '../../ids.ts';
import { S_IFREG } from '../filesystem.ts';
import type { ControlEntry } from './entry.ts';

/** How a container that was not made here came: `discovered`, or `adopted` once somebody gave it its name. */
export const origin: ControlEntry = {
  entry: 28,
  name: '.origin',
  mode: () => S_IFREG | 0o444,
  present: ({ found }) => found !== undefined,
  text: ({ found }) => `${found?.adopted === true ? 'adopted' : 'discovered'}\n`,
};

/** How many sets of namespaces are not shown, because their owners have too many. */
export const unshown: ControlEntry = {
  entry: 29,
  name: '.unshown',
  mode: () => S_IFREG | 0o444,
  present: ({ serial, unshown }) => serial === ROOT_SERIAL && unshown > 0,
  text: ({ unshown }) => `${unshown}\n`,
};
