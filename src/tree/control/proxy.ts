import { ROOT_SERIAL } from '../../ids.ts';
import { S_IFDIR } from '../filesystem.ts';
import type { ControlEntry } from './entry.ts';

/** The directory of the processes that entered: a link made there has a process enter. Who may is decided at each link. */
export const proxy: ControlEntry = {
  entry: 15,
  name: '.proxy',
  mode: () => S_IFDIR | 0o777,
  present: () => true,
  listed: ({ serial }) => serial === ROOT_SERIAL,
};
