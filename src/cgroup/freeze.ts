import { FsError } from '../errno.ts';
import { type FileAccess, readIfThere } from '../files.ts';
import { isFrozen, processes } from './cgroup.ts';
import { tryWriteKnob, writeKnob } from './knob.ts';
import { waitUntil } from './wait.ts';

/** 1,000 processes freeze in some 10 ms; a process in an uninterruptible wait may never. */
export const FREEZE_LIMIT_MS = 5_000;

const KNOB = 'cgroup.freeze';

export interface WaitOptions {
  readonly signal?: AbortSignal | undefined;
  readonly limitMs?: number;
}

/**
 * Stops every process of the cgroup and below it; fulfilled when all stand still. What was not frozen before is thawed
 * again when it fails: ETIMEDOUT after {@link FREEZE_LIMIT_MS}, EINTR, ENOTSUP without the freezer (Linux < 5.2).
 */
export async function freeze(
  files: FileAccess,
  directory: string,
  { signal, limitMs = FREEZE_LIMIT_MS }: WaitOptions = {},
): Promise<void> {
  requireFreezer(files, directory);
  const before = isAskedToFreeze(files, directory);
  writeKnob(files, directory, KNOB, '1');
  try {
    if (await waitUntil(() => isFrozenNow(files, directory), limitMs, signal)) return;
    throw new FsError('ETIMEDOUT', `Cannot freeze ${directory} within ${limitMs} ms${await culprit(files, directory)}`);
  } catch (error) {
    if (!before) tryWriteKnob(files, directory, KNOB, '0');
    throw error;
  }
}

/**
 * Lets the processes go on, those of frozen cgroups below excepted. Fulfilled when the cgroup is no longer frozen, at once
 * if an ancestor keeps it frozen. ETIMEDOUT after {@link FREEZE_LIMIT_MS}.
 */
export async function thaw(
  files: FileAccess,
  directory: string,
  { signal, limitMs = FREEZE_LIMIT_MS }: WaitOptions = {},
): Promise<void> {
  requireFreezer(files, directory);
  writeKnob(files, directory, KNOB, '0');
  if (keptFrozenFromAbove(files, directory)) return;
  if (await waitUntil(() => !isFrozen(files, directory), limitMs, signal)) return;
  throw new FsError('ETIMEDOUT', `Cannot thaw ${directory} within ${limitMs} ms; try again`);
}

/** Whether the cgroup itself, not just an ancestor, was told to freeze. */
export function isAskedToFreeze(files: FileAccess, directory: string): boolean {
  return readIfThere(files, `${directory}/${KNOB}`)?.trim() === '1';
}

/** Freezes until disposed: `await using frozen = await holdFrozen(…)`. What was frozen before stays frozen. */
export async function holdFrozen(
  files: FileAccess,
  directory: string,
  options: WaitOptions = {},
): Promise<AsyncDisposable> {
  const before = isAskedToFreeze(files, directory);
  await freeze(files, directory, options);
  return {
    async [Symbol.asyncDispose]() {
      if (!before && files.existsSync(directory)) await thaw(files, directory);
    },
  };
}

/** Throws ENOENT when the cgroup was removed meanwhile. */
function isFrozenNow(files: FileAccess, directory: string): boolean {
  if (isFrozen(files, directory)) return true;
  requireFreezer(files, directory);
  return false;
}

function requireFreezer(files: FileAccess, directory: string): void {
  if (files.existsSync(`${directory}/${KNOB}`)) return;
  if (!files.existsSync(directory)) throw new FsError('ENOENT', `Cannot freeze ${directory}: no such cgroup`);
  throw new FsError(
    'ENOTSUP',
    `Cannot freeze ${directory}: there is no ${KNOB}; it takes Linux 5.2 or later, and a cgroup of one's own`,
  );
}

/** Ancestors end where the knob does: the hierarchy's root has none. */
function keptFrozenFromAbove(files: FileAccess, directory: string): boolean {
  const parent = directory.slice(0, directory.lastIndexOf('/'));
  const knob = readIfThere(files, `${parent}/${KNOB}`);
  if (parent === '' || knob === undefined) return false;
  return knob.trim() === '1' || keptFrozenFromAbove(files, parent);
}

/** Names the first process in an uninterruptible wait (state D), the usual reason. */
async function culprit(files: FileAccess, directory: string): Promise<string> {
  for (const pid of await processes(files, directory)) {
    const stat = readIfThere(files, `/proc/${pid}/stat`) ?? '';
    if (stat.slice(stat.lastIndexOf(')') + 1).startsWith(' D ')) {
      return `: process ${pid} is in an uninterruptible wait (see /proc/${pid}/stack); end what it waits for`;
    }
  }
  return '; try again';
}
