import type { Serial } from '../ids.ts';

/**
 * A FUSE nodeid and, at the same time, the inode number: `serial × 2^24 + entry`. Computed, never allocated, so a daemon
 * started anew understands every id the kernel remembers and FORGET needs no work. Entry 1 is the container's directory
 * itself; so the root's directory is 1, FUSE_ROOT_ID (fuse_kernel.h). Fits 53 bits up to serial 2^29.
 */
export type NodeId = number & { readonly brand: 'NodeId' };

const ENTRY_SPAN = 2 ** 24;

/** Entry number of a container's own directory. */
export const DIRECTORY_ENTRY = 1;

export function nodeId(serial: Serial, entry: number): NodeId {
  return (serial * ENTRY_SPAN + entry) as NodeId;
}

export function directoryId(serial: Serial): NodeId {
  return nodeId(serial, DIRECTORY_ENTRY);
}

export function serialOf(id: NodeId): Serial {
  return Math.floor(id / ENTRY_SPAN) as Serial;
}

/** By bits, which are right up to 2^53 (ToInt32): the rest of a division by a call costs more than all else of a GETATTR. */
export function entryOf(id: NodeId): number {
  return id & (ENTRY_SPAN - 1);
}

export const ROOT_ID = 1 as NodeId;
