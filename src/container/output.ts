import { closeSync, fchownSync, lstatSync, openSync, rmSync } from 'node:fs';
import { OWN_UID } from '../own-user.ts';

/**
 * The file that detached commands write to is made for its owner, `undefined` for root, who makes it when it is needed. One of
 * a former owner's is not written to any more: he reads it, and may have it open. The directory is root's: no name in it is
 * another's to make.
 */
export function giveOutput(file: string, owner?: { readonly uid: number; readonly gid: number }): void {
  const former = lstatSync(file, { throwIfNoEntry: false });
  if (former && former.uid !== (owner?.uid ?? OWN_UID)) rmSync(file);
  if (!owner) return;
  const fd = openSync(file, 'a', 0o600);
  try {
    fchownSync(fd, owner.uid, owner.gid);
  } finally {
    closeSync(fd);
  }
}
