import { bad, type Check, good } from './check.ts';

/** As `engines` in package.json. */
const LEAST = [20, 15] as const;

export const node: Check = {
  name: 'node',
  required: true,
  probe({ nodeVersion }) {
    const [major = 0, minor = 0] = nodeVersion.replace('v', '').split('.').map(Number);
    if (major > LEAST[0] || (major === LEAST[0] && minor >= LEAST[1])) return good(nodeVersion);
    return bad(nodeVersion, `Node.js ${LEAST.join('.')} or later is needed`, 'npm install --global node@20');
  },
};
