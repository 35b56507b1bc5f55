import { accessSync, constants, statSync } from 'node:fs';
import path from 'node:path';
import { bad, type Check, good } from './check.ts';
import { install } from './install.ts';
import { OWN_UID } from '../../own-user.ts';

const PROGRAM = 'fusermount';

/** Bit of a program that runs as its owner (inode(7)). */
const S_ISUID = 0o4000;

/** The program by which libfuse has an ordinary user mount (fusermount(1)). */
export const fusermount: Check = {
  name: PROGRAM,
  required: true,
  probe({ files }) {
    const found = inPath(PROGRAM);
    if (found === undefined) return bad('none', `there is no ${PROGRAM} in PATH`, install(files, 'fusermount'));
    const { mode, uid } = statSync(found);
    if (OWN_UID === 0 || (uid === 0 && (mode & S_ISUID) !== 0)) return good(found);
    return bad(found, `${found} is not setuid root: only root can mount by it`, `chmod u+s ${found}`);
  },
};

/** Absolute path of a program that can be run, found as a shell does. */
export function inPath(program: string): string | undefined {
  return (process.env['PATH'] ?? '')
    .split(':')
    .map((directory) => path.join(directory, program))
    .find((file) => {
      try {
        accessSync(file, constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });
}
