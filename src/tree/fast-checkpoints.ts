import * as fs from 'node:fs';
import type { Pid } from '../ids.ts';
import { mayBeArchiver } from './archivers.ts';
import { CHECKPOINT_ENTRY, isImages } from './checkpoint-id.ts';
import { checkpoint } from './control/checkpoint.ts';
import type { FastTreeOptions } from './fast-tree.ts';
import { DEFER, type FastFilesystem } from './filesystem.ts';
import { DIRECTORY_ENTRY, entryOf, serialOf, type NodeId } from './node-id.ts';
import { controlAttr, hasUnlinked } from './view.ts';

/**
 * The part of `CheckpointTree` that is answered without waiting: an empty `.checkpoint`, for those who are no archivers.
 * All about images is left to the main thread.
 */
export function withCheckpoints(inner: FastFilesystem, { view }: Pick<FastTreeOptions, 'view'>): FastFilesystem {
  const containerOf = (id: NodeId) => view.registry.get(serialOf(id));
  /** Names of an archive may be there, for some. */
  const isHaunted = (parent: NodeId, name: string) => {
    if (!name.startsWith('.') || entryOf(parent) !== DIRECTORY_ENTRY) return false;
    const state = containerOf(parent)?.checkpoint;
    return state === 'ghosts' || state === 'arriving';
  };
  /** Whether this caller sees nothing but an empty directory. */
  const seesEmpty = (parent: NodeId, pid: Pid) => containerOf(parent)?.checkpoint === 'none' && !mayBeArchiver(fs, pid);
  const isCheckpoint = (parent: NodeId, name: string) =>
    name === checkpoint.name && entryOf(parent) === DIRECTORY_ENTRY;

  return {
    ...inner,
    lookup(request, parent, name) {
      if (isImages(parent) || isHaunted(parent, name)) return DEFER;
      if (isCheckpoint(parent, name) && !seesEmpty(parent, request.caller.pid)) return DEFER;
      return inner.lookup?.(request, parent, name) ?? DEFER;
    },
    getattr(request, id) {
      if (!isImages(id)) return inner.getattr?.(request, id) ?? DEFER;
      const container = entryOf(id) === CHECKPOINT_ENTRY ? containerOf(id) : undefined;
      return container && view.resolves(container, checkpoint) ? controlAttr(container, checkpoint, 0) : DEFER;
    },
    readdir(request, id, cookie) {
      if (entryOf(id) === CHECKPOINT_ENTRY) return [];
      const container = entryOf(id) === DIRECTORY_ENTRY ? containerOf(id) : undefined;
      if (container && hasUnlinked(container)) return DEFER;
      return isImages(id) ? DEFER : (inner.readdir?.(request, id, cookie) ?? DEFER);
    },
    readlink: (request, id) => (isImages(id) ? DEFER : (inner.readlink?.(request, id) ?? DEFER)),
    unlink(request, parent, name) {
      if (isImages(parent) || isHaunted(parent, name) || !inner.unlink) return DEFER;
      return inner.unlink(request, parent, name);
    },
    rmdir(request, parent, name) {
      if (isImages(parent) || isHaunted(parent, name) || !inner.rmdir) return DEFER;
      if (!isCheckpoint(parent, name)) return inner.rmdir(request, parent, name);
      const container = containerOf(parent);
      if (!container || !seesEmpty(parent, request.caller.pid) || !view.resolves(container, checkpoint)) return DEFER;
      return undefined;
    },
    create(request, parent, name, mode, flags) {
      if (isImages(parent) || isHaunted(parent, name) || !inner.create) return DEFER;
      // An archiver that unpacks may bring other entries before the images.
      if (containerOf(parent)?.phase === 'declared' && mayBeArchiver(fs, request.caller.pid)) return DEFER;
      return inner.create(request, parent, name, mode, flags);
    },
    open: (request, id, flags) => (isImages(id) ? DEFER : (inner.open?.(request, id, flags) ?? DEFER)),
    read: (request, id, handle, offset, size) =>
      isImages(id) ? DEFER : (inner.read?.(request, id, handle, offset, size) ?? DEFER),
    flush: (_request, id) => (isImages(id) ? DEFER : undefined),
    release: (request, id, handle) => (isImages(id) || !inner.release ? DEFER : inner.release(request, id, handle)),
  };
}
