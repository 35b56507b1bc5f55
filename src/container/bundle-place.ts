import path from 'node:path';
import { FsError, quoted } from '../errno.ts';
import { runFiles, type Instance } from '../instance.ts';
import { pathOf, type Container } from './container.ts';
import type { Machine } from './machine.ts';

/** Where an OCI runtime keeps what it knows of one container; names as in src/init/makers.h. */
export function bundlePlace(instance: Instance, serial: number) {
  const dir = path.join(runFiles(instance).bundles, String(serial));
  return {
    dir,
    /** What it is called there. */
    id: `nsdir-${serial}`,
    root: path.join(dir, 'root'),
    config: path.join(dir, 'config.json'),
    log: path.join(dir, 'log'),
    pidFile: path.join(dir, 'pid'),
  } as const;
}

/**
 * The directory that `.bundle` leads to, as any link of that text in the container's directory would. Throws EINVAL for one
 * in the tree, where there are no files.
 */
export function bundleDirectory({ instance }: Machine, container: Container): string {
  const { bundle = '' } = container;
  const { mountPoint } = instance;
  const directory = path.resolve(path.join(mountPoint, pathOf(container)), bundle);
  if (directory === mountPoint || directory.startsWith(`${mountPoint}/`) || directory.includes('\n')) {
    throw new FsError('EINVAL', `Cannot start "${pathOf(container)}": there is no bundle at ${quoted(directory)}`);
  }
  return directory;
}
