import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { scratch } from '../support/containers.ts';
import { mounted } from '../support/mounted.ts';

it('is asked nothing by stat, ls -l and find over a thousand containers that were looked at before', async () => {
  using disk = scratch();
  const trace = disk.at('trace');
  await using tree = await mounted('--trace', trace);
  const requests = () =>
    readFileSync(trace, 'utf8')
      .split('\n')
      .filter((line) => line.startsWith('rx '));
  await tree.ok(`python3 -c "
import os
for i in range(1000): os.mkdir('c%d' % i)
for i in range(0, 1000, 10): os.mkdir('c%d/in' % i)"`);
  const looks = ['stat c0 c999 c500/in', 'ls -l', 'find . -mindepth 1 -name "[!.]*" -type d -path "./c*"', 'ls -d c*/'];
  // Twice: after the first listing of a directory the kernel asks for its access time once more.
  for (const look of [...looks, ...looks]) await tree.ok(look);
  expect(requests().length).toBeGreaterThan(2_000);
  for (const look of looks) {
    const before = requests().length;
    await tree.ok(look);
    // find wants to know the kind of file system, which the kernel keeps of none; names of control entries it keeps for a second.
    const isExpected = (line: string) => / STATFS | LOOKUP n1 "\./.test(line);
    expect(
      requests()
        .slice(before)
        .filter((line) => !isExpected(line)),
      look,
    ).toEqual([]);
  }
});
