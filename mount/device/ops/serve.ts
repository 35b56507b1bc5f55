import { FsError } from '../../../src/errno.ts';
import { ABSENT, DEFER, type Filesystem } from '../../../src/tree/filesystem.ts';
import type { Decoded } from '../decode.ts';

/** The answer of a file system nobody stands behind: what it has no method for is ENOSYS. Throws FsError. */
export async function serveWhole(filesystem: Filesystem, { request, op, args }: Decoded): Promise<unknown> {
  const answer = await op.serve(filesystem, request, args);
  if (answer === DEFER) throw new FsError('ENOSYS', `${op.name} is not supported`);
  if (answer === ABSENT) throw new FsError('ENOENT', 'there is no such name');
  return answer;
}
