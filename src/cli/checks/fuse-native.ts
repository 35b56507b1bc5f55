import { libraryProblem } from '../../../mount/native/library.ts';
import { bad, type Check, good } from './check.ts';
import { install } from './install.ts';

export const fuseNative: Check = {
  name: 'fuse-native',
  required: true,
  probe({ files }) {
    const problem = libraryProblem();
    if (problem === undefined) return good('loads');
    const remedy = problem.includes('libfuse')
      ? install(files, 'libfuse2')
      : `${install(files, 'libfuse2', 'cxx')}, then npm install in the directory of the package`;
    return bad('does not load', `Cannot load fuse-native: ${problem}`, remedy);
  },
};
