import { entryOf, serialOf, type NodeId } from '../../src/tree/node-id.ts';

/** Inode numbers have 32 bits in the library: five are the entry's, which containers and control entries need. */
const ENTRY_SPAN = 32;

/** Above all of these: what has larger entry numbers, processes in `.proxy` and images. They may coincide. */
const OTHERS = 2 ** 31;

/** Numbers of containers up to this one can be told apart. */
const SERIALS = OTHERS / ENTRY_SPAN;

/** The inode number that stands for a node: one of its own for every directory and control entry. */
export function inodeNumber(id: NodeId): number {
  const [serial, entry] = [serialOf(id), entryOf(id)];
  if (entry < ENTRY_SPAN && serial < SERIALS) return serial * ENTRY_SPAN + entry;
  return OTHERS + ((serial * 40_503 + entry) % OTHERS);
}

/** The container's number of an inode number that {@link inodeNumber} gave. */
export function serialOfInode(inode: number): number {
  return Math.floor(inode / ENTRY_SPAN);
}
