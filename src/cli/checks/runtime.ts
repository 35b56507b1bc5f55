import { FsError } from '../../errno.ts';
import { bad, type Check, good } from './check.ts';
import { install } from './install.ts';

/** What runs OCI bundles. */
export const runtime: Check = {
  name: 'OCI runtime',
  required: false,
  probe(machine) {
    try {
      return good(machine.runtime());
    } catch (error) {
      if (!(error instanceof FsError)) throw error;
      return bad('none', `Cannot run bundles: ${error.message}`, install(machine.files, 'runc'));
    }
  },
};
