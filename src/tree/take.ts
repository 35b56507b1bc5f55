import { readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { MANIFEST } from '../checkpoint/manifest.ts';
import type { Container } from '../container/container.ts';
import { imagePlace } from '../container/images.ts';
import type { Pid, Serial } from '../ids.ts';
import type { Timespec } from '../time.ts';

export interface TakenFile {
  readonly name: string;
  readonly path: string;
  readonly size: number;
}

/** A checkpoint of one container: announced to an archiver, or taken. */
export interface Take {
  readonly container: Container;
  readonly slot: number;
  readonly at: Timespec;
  dir: string;
  /** Fulfilled when the files are there; absent: not begun. Rejected with why it failed. */
  ready: Promise<void> | undefined;
  /** By number, less one. */
  files: readonly TakenFile[];
  /** What was unlinked. */
  readonly gone: Set<string>;
  readonly session: Session | undefined;
}

/** An archiver's view: each container as it was when this process came to it. */
export interface Session {
  readonly pid: Pid;
  readonly startTime: number;
  readonly takes: Map<Serial, Take>;
}

/** The manifest first: who restores knows then what is to come. */
export async function filesIn(dir: string): Promise<TakenFile[]> {
  const { images } = imagePlace(dir);
  const names = (await readdir(images)).sort();
  const ordered = [...names.filter((name) => name === MANIFEST), ...names.filter((name) => name !== MANIFEST)];
  return await Promise.all(
    ordered.map(async (name) => {
      const file = path.join(images, name);
      return { name, path: file, size: (await stat(file)).size };
    }),
  );
}
