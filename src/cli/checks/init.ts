import { bad, type Check, good } from './check.ts';

/** What it says without arguments: usage, and the status of a command that failed by itself. */
const USAGE_STATUS = 125;

export const init: Check = {
  name: 'nsdir-init',
  required: true,
  async probe({ runInit, initPath }) {
    const { status, stderr } = await runInit();
    if (status === USAGE_STATUS) return good(initPath);
    const why = stderr.split('\n')[0] ?? '';
    return bad(
      'does not run',
      `Cannot run ${initPath}: ${why === '' ? `exit status ${status ?? 'unknown'}` : why}`,
      'apt-get install gcc libc6-dev musl-tools && scripts/build-init, in the directory of the package',
    );
  },
};
