import { expect, it } from 'vitest';
import { detached } from '../support/containers.ts';
import { mounted } from '../support/mounted.ts';

const COMPARE = `
import os, stat, sys
for top in sys.argv[1:]:
    for directory, _, names in os.walk(top):
        for name in names:
            path = os.path.join(directory, name)
            told = os.lstat(path)
            if stat.S_ISLNK(told.st_mode):
                got, then = len(os.fsencode(os.readlink(path))), told.st_size
            else:
                with open(path, 'rb', buffering=0) as file:
                    then = os.fstat(file.fileno()).st_size
                    got = len(file.read(1 << 20) or b'')
            print(path, told.st_size, then, got)
`;

it('tells by lstat and fstat the number of bytes that reading gives, of every control entry', async () => {
  await using tree = await mounted();
  await tree.ok('mkdir -p web/job cold done idle; for c in web web/job cold done; do echo running > $c/.state; done');
  await detached(tree, 'web', ['sh', '-c', 'while :; do /bin/true; sleep 0.01; done']);
  await tree.ok('echo frozen > cold/.state; echo stopped > done/.state');
  await tree.sh('echo nonsense > web/.state');
  for (let round = 0; round < 5; round++) {
    const script = 'exec python3 - web cold done idle .';
    const lines = (await tree.ok(script, { stdin: 'pipe', input: COMPARE })).split('\n');
    expect(lines.length).toBeGreaterThan(60);
    for (const line of lines) {
      const [path, told, then, got] = line.split(' ');
      expect([told, then], path).toEqual([got, got]);
    }
    // A text is empty only where there is nothing to be read.
    const empty = lines.filter((line) => line.endsWith(' 0') && !/\/\.signal /.test(line));
    expect(empty).toEqual([]);
  }
});
