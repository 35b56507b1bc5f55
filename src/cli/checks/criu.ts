import { FsError } from '../../errno.ts';
import { bad, type Check, good } from './check.ts';

export const criu: Check = {
  name: 'criu',
  required: false,
  async probe(machine) {
    try {
      const { program, version, lacks } = await machine.criu();
      const found = `${version} at ${program}`;
      return lacks === undefined
        ? good(found)
        : bad(found, `Cannot checkpoint: criu check: ${lacks}`, 'a newer kernel');
    } catch (error) {
      if (!(error instanceof FsError)) throw error;
      return bad('none', `Cannot checkpoint: ${error.message}`, 'scripts/setup-criu, in the directory of the package');
    }
  },
};
