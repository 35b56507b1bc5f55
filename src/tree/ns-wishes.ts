import type { Container } from '../container/container.ts';
import type { Machine } from '../container/machine.ts';
import { FsError } from '../errno.ts';
import { nsKinds, isAsking } from './control/ns.ts';
import type { Request } from './filesystem.ts';

/** What a container is asked to get of its own at its start, kept as `.ns/KIND` entries until then. */

/** mkdir `.ns`: nothing is asked for yet. Nothing to do for a container that has started. */
export function beginWishes({ store }: Machine, container: Container, request: Request): void {
  if (container.phase !== 'declared' || container.kinds !== undefined) return;
  store.commit([{ op: 'want', serial: container.serial, kinds: [] }], request.unique);
}

/** Creating or unlinking `.ns/KIND`. EPERM once the container has started. */
export function wish({ store }: Machine, container: Container, request: Request, kind: string, wanted: boolean): void {
  if (!isAsking(container)) throw new FsError('EPERM', 'namespaces are chosen before the first start');
  const others = (container.kinds ?? []).filter((other) => other !== kind);
  const asked = nsKinds.filter((row) => row.kind === kind && wanted).map((row) => row.kind);
  store.commit([{ op: 'want', serial: container.serial, kinds: [...others, ...asked] }], request.unique);
}

/** rmdir `.ns`, which is empty: no wishes. */
export function endWishes({ store }: Machine, container: Container, request: Request): void {
  store.commit([{ op: 'want', serial: container.serial, kinds: undefined }], request.unique);
}
