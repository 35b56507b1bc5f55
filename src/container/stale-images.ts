import { readdirSync } from 'node:fs';
import { rmdir } from 'node:fs/promises';
import path from 'node:path';
import type { Serial } from '../ids.ts';
import type { Container } from './container.ts';
import { removeImages } from './images.ts';
import type { Machine } from './machine.ts';

const DIRECTORY = /^(\d+)\.checkpoints$/;

/** What of a container's images the next daemon goes on with, by its state. */
const KEPT: Readonly<Partial<Record<Container['checkpoint'], RegExp>>> = {
  held: /^held-\d+$/,
  arriving: /^arriving$/,
};

/** Removes the images that a former daemon made for archivers: they have lost it, and fail. Called before requests are served. */
export async function removeStaleImages({ instance, store, log }: Machine): Promise<void> {
  for (const name of readdirSync(instance.stateDir)) {
    const serial = DIRECTORY.exec(name)?.[1];
    if (serial === undefined) continue;
    const container = store.registry.get(Number(serial) as Serial);
    const kept = KEPT[container?.checkpoint ?? 'none'];
    const parent = path.join(instance.stateDir, name);
    for (const entry of readdirSync(parent)) {
      if (kept?.test(entry)) continue;
      await removeImages(path.join(parent, entry)).catch((cause: unknown) => {
        log.warn({ entry, err: cause }, 'cannot remove images of a former daemon');
      });
    }
    // It may have died when it had removed the last, and this not yet.
    await rmdir(parent).catch(() => undefined);
  }
}
