import type { Reader } from '../../src/container/events.ts';

/** Root, who is told of everything. */
export const AS_ROOT: Reader = { uid: 0, gid: 0 };
