import { FsError } from '../errno.ts';
import type { Container } from './container.ts';
import type { Machine } from './machine.ts';

/** For who waited for a lock: throws ENOENT if it was removed meanwhile. */
export function requireThere({ store }: Pick<Machine, 'store'>, container: Container, what: string): void {
  if (store.registry.get(container.serial) !== container) {
    throw new FsError('ENOENT', `Cannot ${what}: it is gone`);
  }
}
