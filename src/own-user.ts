import type { FileAccess } from './files.ts';

/** Who runs this program: root, or the one user of a tree without root. */
export const OWN_UID = process.getuid?.() ?? 0;

/** The state directory of a private machine (scripts/private-machine), which has no other place of its own for it. */
export const PRIVATE_STATE = '/.nsdir';

/** All ids, as the machine's own user namespace has them (user_namespaces(7)). */
const ALL_IDS = /^\s*0\s+0\s+4294967295\s*$/;

/** Whether this is the machine's root, and not that of a user namespace, who may make no cgroups unless they are given to him. */
export function isMachinesRoot(files: Pick<FileAccess, 'readFileSync'>): boolean {
  return OWN_UID === 0 && ALL_IDS.test(files.readFileSync('/proc/self/uid_map', 'utf8'));
}
