import { CGROUP, type ExternalMount } from './arguments.ts';

/** Keys of mounts that are bound alone already (src/init/restore.c), or made here. */
const ALONE: readonly string[] = ['tree', 'cgroup'];

/** In criu's private /run. */
const COPY = '/run/copy';

/** Its words are what is to be bound, `--`, and criu's command line. */
const BIND = [
  `n=0; while [ "$1" != -- ]; do if [ -d "$1" ]; then mkdir ${COPY}$n; else : >${COPY}$n; fi;`,
  `mount --bind "$1" ${COPY}$n || { echo "Error (nsdir): Cannot bind $1" >&2; exit 1; }; n=$((n + 1)); shift; done;`,
  `shift; mkdir ${CGROUP}; mount -t cgroup2 cgroup2 ${CGROUP}; exec "$@"`,
].join(' ');

/**
 * Criu binds what is external as root of the new user namespace, where mounts of the machine are locked together
 * (mount_namespaces(7)): so it needs each without what is mounted in it. And a cgroup2 that may be mounted there it cannot
 * make, since the cgroup namespace is made before the user namespace; it has no flags, which could not be taken away.
 */
export function withCopies(
  mounts: readonly ExternalMount[],
  commandFor: (mounts: readonly ExternalMount[]) => readonly string[],
): string[] {
  const sources = mounts.filter(({ key }) => !ALONE.includes(key)).map(({ source }) => source);
  const copies = mounts.map((mount) =>
    ALONE.includes(mount.key) ? mount : { ...mount, source: `${COPY}${sources.indexOf(mount.source)}` },
  );
  return ['/bin/sh', '-c', BIND, 'sh', ...sources, '--', ...commandFor(copies)];
}
