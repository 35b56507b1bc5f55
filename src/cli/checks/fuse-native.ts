import { libraryProblem } from '../../../mount/native/library.ts';
import { bad, type Check, good } from './check.ts';

export const fuseNative: Check = {
  name: 'fuse-native',
  required: true,
  probe() {
    const problem = libraryProblem();
    if (problem === undefined) return good('loads');
    const remedy = problem.includes('libfuse')
      ? 'apt-get install libfuse2'
      : 'apt-get install libfuse2 gcc g++ make python3, then npm install in the directory of the package';
    return bad('does not load', `Cannot load fuse-native: ${problem}`, remedy);
  },
};
