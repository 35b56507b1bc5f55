import { unshared, type Maker } from './found.ts';
import { workload } from './workload.ts';

/**
 * Runs a command whose orphans come to it, and are reaped at once: thousands a second are too many for some machine's init,
 * and then there are no pids left (prctl(2), PR_SET_CHILD_SUBREAPER).
 */
const REAPING = `
import ctypes, os, sys
ctypes.CDLL(None).prctl(36, 1)
if os.fork() == 0:
    os.execvp(sys.argv[1], sys.argv[1:])
while True:
    os.wait()`;

/** A fork bomb of 64 processes in a mount namespace of its own, that goes off when the file `go` is there. */
export function bomb(go: string): Promise<Maker> {
  return unshared(['--mount'], 'exec "$@"', 'python3', '-c', REAPING, ...workload('fork-bomb', '5', go));
}
