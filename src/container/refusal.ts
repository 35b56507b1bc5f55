import { FsError, type Errno } from '../errno.ts';
import { now } from '../time.ts';
import type { Container } from './container.ts';
import type { Machine } from './machine.ts';
import { OWN_UID } from '../own-user.ts';

/** What a name and the errno tell already, and what every file system refuses: no report for rmdir and rename. */
export const TOLD_BY_ERRNO: readonly Errno[] = [
  'ENOENT',
  'EEXIST',
  'ENOTEMPTY',
  'ENAMETOOLONG',
  'ENOTDIR',
  'EISDIR',
  'EINTR',
];

const REPORT_LIMIT = 1000;

/**
 * Puts the reason into the container's `.error`: one line; nothing for an errno in `silent`. It says who asked if that is
 * neither the owner nor root: the owner shall not take it for his own. Never throws; a bug (no `FsError`) is the session's to
 * report.
 */
export function recordRefusal(
  { store, log }: Machine,
  container: Container,
  error: unknown,
  asker?: { readonly uid: number },
  silent: readonly Errno[] = [],
): void {
  if (!(error instanceof FsError) || silent.includes(error.errno)) return;
  if (!store.registry.get(container.serial)) return;
  const isStranger = asker && ![0, OWN_UID, container.uid].includes(asker.uid);
  const note = isStranger ? ` (asked by uid ${asker.uid})` : '';
  const text =
    `${error.errno}: ${withoutErrno(error)}`.replace(/\s+/g, ' ').slice(0, REPORT_LIMIT - note.length) + note;
  try {
    store.commit([{ op: 'error', serial: container.serial, text, at: now() }]);
  } catch (cause) {
    log.warn({ container: container.serial, err: cause }, 'cannot keep the reason of a refusal');
  }
}

/** As `recordRefusal`, of what else is told by its errno alone: a limit is not known by that. */
export function recordQuota(
  machine: Machine,
  container: Container,
  error: unknown,
  asker: { readonly uid: number },
): void {
  if (error instanceof FsError && error.errno === 'EDQUOT') recordRefusal(machine, container, error, asker);
}

/** Messages of lower layers end with the errno, with which the report begins. */
function withoutErrno({ errno, message }: FsError): string {
  const end = `: ${errno}`;
  return message.endsWith(end) ? message.slice(0, -end.length) : message;
}
