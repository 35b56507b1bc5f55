/**
 * The kinds of namespaces (namespaces(7)), in the order they are shown. One more kind is one more row.
 * `flag` is the kind's CLONE_NEW* bit (linux/sched.h); `link` is the entry of `/proc/PID/ns` that names the namespace a
 * process's *children* will be in, which is what tells containers apart; `fresh` says whether a container gets a new one
 * unless told otherwise.
 */
export const NAMESPACE_KINDS = [
  { kind: 'mnt', flag: 0x0002_0000, link: 'mnt', fresh: true },
  { kind: 'uts', flag: 0x0400_0000, link: 'uts', fresh: true },
  { kind: 'ipc', flag: 0x0800_0000, link: 'ipc', fresh: true },
  { kind: 'net', flag: 0x4000_0000, link: 'net', fresh: false },
  { kind: 'pid', flag: 0x2000_0000, link: 'pid_for_children', fresh: true },
  { kind: 'user', flag: 0x1000_0000, link: 'user', fresh: false },
  { kind: 'cgroup', flag: 0x0200_0000, link: 'cgroup', fresh: true },
  { kind: 'time', flag: 0x0000_0080, link: 'time_for_children', fresh: false },
] as const;

export type NamespaceKind = (typeof NAMESPACE_KINDS)[number]['kind'];

export function isNamespaceKind(text: string): text is NamespaceKind {
  return NAMESPACE_KINDS.some(({ kind }) => kind === text);
}

/** The kinds of which a container gets its own by default: all but user, net and time. */
export const DEFAULT_KINDS: readonly NamespaceKind[] = NAMESPACE_KINDS.filter(({ fresh }) => fresh).map(
  ({ kind }) => kind,
);

/** CLONE_NEW* bits of the given kinds, for clone3(2). */
export function cloneFlags(kinds: readonly NamespaceKind[]): number {
  return NAMESPACE_KINDS.filter(({ kind }) => kinds.includes(kind)).reduce((bits, { flag }) => bits | flag, 0);
}
