import { describe, expect, test } from 'vitest';
import type { Pid } from '../../../src/ids.ts';
import { slotId, slotBehind } from '../../../src/tree/checkpoint-id.ts';
import { withCheckpoints } from '../../../src/tree/fast-checkpoints.ts';
import { DEFER, type Request } from '../../../src/tree/filesystem.ts';
import { directoryId, nodeId } from '../../../src/tree/node-id.ts';
import { View } from '../../../src/tree/view.ts';
import { registryOf } from '../../support/registry-of.ts';

const at = { sec: 1, nsec: 0 };
const INNER = 'inner' as never;

function fast(is?: 'held' | 'ghosts' | 'arriving') {
  const { registry, at: find } = registryOf('web');
  const web = find('web');
  const { serial } = web;
  if (is !== 'arriving') registry.apply({ op: 'start', serial, init: { pid: 5 as Pid, startTime: 1 }, kinds: [], at });
  if (is) registry.apply({ op: 'checkpoint', serial, is });
  const inner = {
    lookup: () => INNER,
    unlink: () => INNER,
    rmdir: () => INNER,
    open: () => INNER,
    readdir: () => INNER,
  };
  const tree = withCheckpoints(inner, { view: new View(registry) });
  return { tree, web, directory: directoryId(serial), images: nodeId(serial, 14) };
}

/** By this process, which is no archiver. */
const request = { caller: { pid: process.pid as Pid, uid: 0, gid: 0 }, unique: 1, resent: false } satisfies Request;

describe('withCheckpoints', () => {
  test('answers for an empty .checkpoint, which rmdir does not remove', () => {
    const { tree, directory, images } = fast();
    expect(tree.lookup!(request, directory, '.checkpoint')).toBe(INNER);
    expect(tree.readdir!(request, images, 0)).toEqual([]);
    expect(tree.getattr!(request, images)).toMatchObject({ mode: 0o040700, size: 0 });
    expect(tree.rmdir!(request, directory, '.checkpoint')).toBeUndefined();
    expect(tree.lookup!(request, directory, '.checkpoint')).toBe(INNER);
  });

  test.each(['held', 'arriving', 'ghosts'] as const)('leaves .checkpoint to the main thread while it is %s', (is) => {
    const { tree, directory } = fast(is);
    expect(tree.lookup!(request, directory, '.checkpoint')).toBe(DEFER);
    expect(tree.rmdir!(request, directory, '.checkpoint')).toBe(DEFER);
  });

  test('leaves control names to the main thread while an archive is being unpacked, and no others', () => {
    const { tree, directory } = fast('arriving');
    expect(tree.lookup!(request, directory, '.state')).toBe(DEFER);
    expect(tree.unlink!(request, directory, '.state')).toBe(DEFER);
    expect(tree.lookup!(request, directory, 'job')).toBe(INNER);
    expect(fast('held').tree.lookup!(request, directory, '.state')).toBe(INNER);
  });

  test('leaves everything in a checkpoint to the main thread', () => {
    const { tree, web } = fast('held');
    const id = slotId(web.serial, slotBehind(undefined, new Set())!, 0);
    expect(tree.lookup!(request, id, 'files.img')).toBe(DEFER);
    expect(tree.getattr!(request, id)).toBe(DEFER);
    expect(tree.readdir!(request, id, 0)).toBe(DEFER);
    expect(tree.open!(request, id, 0)).toBe(DEFER);
    expect(tree.flush!(request, id, 1)).toBe(DEFER);
    expect(tree.unlink!(request, id, 'files.img')).toBe(DEFER);
  });
});
