import type { Mounted, Outcome } from './mounted.ts';

const SCRIPT = `
import ctypes, os, sys
libc = ctypes.CDLL(None, use_errno=True)
source, target, flag = sys.argv[1:]
flags = {'NOREPLACE': 1, 'EXCHANGE': 2}[flag]
if libc.renameat2(-100, os.fsencode(source), -100, os.fsencode(target), flags) != 0:
    sys.exit(os.strerror(ctypes.get_errno()))
`;

/** renameat2(2) with a flag that mv has no option for; standard error is strerror's text. */
export function renameat2(
  tree: Mounted,
  source: string,
  target: string,
  flag: 'NOREPLACE' | 'EXCHANGE',
): Promise<Outcome> {
  return tree.sh(`exec python3 - '${source}' '${target}' ${flag}`, { stdin: 'pipe', input: SCRIPT });
}
