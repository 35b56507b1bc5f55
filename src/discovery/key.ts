import { NAMESPACE_KINDS, type NamespaceKind } from '../namespaces.ts';

/** Names a set of namespaces while it lives: the inode numbers of all kinds, in the table's order, joined by commas. */
export type SetKey = string & { readonly brand: 'SetKey' };

const PID_KIND = NAMESPACE_KINDS.findIndex(({ kind }) => kind === 'pid');

/**
 * The key of the namespaces that `links` tell (see `readLinks`). The pid namespace of a process that asked for a new one
 * (unshare(2)) has no number until the first child is born: until then it is known by who asked.
 */
export function keyOf(links: readonly string[], process: { readonly pid: number; readonly startTime: number }): SetKey {
  const parts = links.map((inode, index) =>
    inode === '' && index === PID_KIND ? `${PENDING}${process.pid}.${process.startTime}` : inode,
  );
  return parts.join(',') as SetKey;
}

const PENDING = 'pending';

/** Whether the pid namespace of this set was asked for and does not exist yet. */
export function isPending(key: SetKey): boolean {
  return key.includes(PENDING);
}

/** Keys whose parts are kept: placing a set compares it with every other one. */
const PARTS_KEPT_LIMIT = 8_192;

const kept = new Map<SetKey, readonly string[]>();

/** What the key has of each kind, in the table's order. */
export function partsOf(key: SetKey): readonly string[] {
  const known = kept.get(key);
  if (known) return known;
  if (kept.size >= PARTS_KEPT_LIMIT) kept.clear();
  const parts = key.split(',');
  kept.set(key, parts);
  return parts;
}

/** The kinds of which the two sets have different namespaces. */
export function differingKinds(key: SetKey, other: SetKey): NamespaceKind[] {
  const [its, others] = [partsOf(key), partsOf(other)];
  return NAMESPACE_KINDS.filter((_, index) => its[index] !== others[index]).map(({ kind }) => kind);
}

/** Whether two sets may have the same namespaces of all kinds but those of the CLONE_NEW* bits `except`. */
export function agree(key: SetKey, other: SetKey, except: number): boolean {
  const [its, others] = [partsOf(key), partsOf(other)];
  return NAMESPACE_KINDS.every(({ flag }, index) => {
    const [one = '', two = ''] = [its[index], others[index]];
    return (flag & except) !== 0 || one === two || one.startsWith(PENDING) || two.startsWith(PENDING);
  });
}
