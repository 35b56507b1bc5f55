import type { Timespec } from '../time.ts';
import { S_IFDIR, S_IFREG, type Attr, type Entry } from './filesystem.ts';
import type { NodeId } from './node-id.ts';

/** Of an empty tmpfs directory; what it has is not counted. */
const DIRECTORY_BYTES = 40;

/** Images are memory: nobody but root reads them. */
export function imagesDirectoryAttr(id: NodeId, at: Timespec): Attr {
  return { ...common(id, at), mode: S_IFDIR | 0o700, nlink: 2, size: DIRECTORY_BYTES };
}

export function imageAttr(id: NodeId, at: Timespec, size: number): Attr {
  return { ...common(id, at), mode: S_IFREG | 0o600, nlink: 1, size };
}

/** Who looks decides what a name means here, so the kernel may keep none; what a node is, it may. */
export function fleetingEntry(attr: Attr): Entry {
  return { attr, cacheable: false, fleeting: true };
}

function common(id: NodeId, at: Timespec) {
  return { id, uid: 0, gid: 0, atime: at, mtime: at, ctime: at, cacheable: true };
}
