import { bad, type Check, good } from './check.ts';
import { install } from './install.ts';

/** What it says without arguments: usage, and the status of a command that failed by itself. */
const USAGE_STATUS = 125;

export const init: Check = {
  name: 'nsdir-init',
  required: true,
  async probe({ runInit, initPath, files }) {
    const { status, stderr } = await runInit();
    if (status === USAGE_STATUS) return good(initPath);
    const why = stderr.split('\n')[0] ?? '';
    return bad(
      'does not run',
      `Cannot run ${initPath}: ${why === '' ? `exit status ${status ?? 'unknown'}` : why}`,
      `${install(files, 'staticC')} && scripts/build-init, in the directory of the package`,
    );
  },
};
