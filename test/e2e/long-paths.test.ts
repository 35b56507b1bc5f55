import { expect, it } from 'vitest';
import { mounted } from '../support/mounted.ts';

it('goes as deep as PATH_MAX by one path, and deeper by chdir', async () => {
  await using tree = await mounted();
  const name = 'd'.repeat(200);
  const levels = 20;
  const path = Array.from({ length: levels }, () => name).join('/');
  expect(await tree.ok(`mkdir -p ${path} && stat -c %h ${path}`)).toBe('2');

  const longest = `${'./'.repeat(2000)}${'x'.repeat(95)}`;
  expect(longest).toHaveLength(4095);
  await tree.ok(`mkdir ${longest} && rmdir ${longest}`);
  expect((await tree.sh(`mkdir ./${longest}`)).stderr).toContain('File name too long');

  await tree.ok(`python3 -c "
import os
os.chdir('${path}')
for i in range(100):
    os.mkdir('${name}')
    os.chdir('${name}')
os.mkdir('deepest')
"`);
  await tree.ok(`rm -rf ${name}`);
  expect(await tree.ok('ls')).toBe('');
});
