import { beforeEach, expect, it } from 'vitest';
import { mounted, NSDIR, type Mounted } from '../support/mounted.ts';

let tree: Mounted;
beforeEach(async () => {
  tree = await mounted();
  return () => tree[Symbol.asyncDispose]();
});

/** What bash offers for the last of these words. */
async function offered(...words: string[]): Promise<string[]> {
  // Not of a command line that is typed, so what is to be done with what is offered cannot be set.
  const script = `compopt() { :; }; eval "$(node "$0" completion)"; COMP_WORDS=(nsdir "$@"); COMP_CWORD=$#; _nsdir; printf '%s\\n' "\${COMPREPLY[@]}"`;
  const quoted = [NSDIR, ...words].map((word) => `'${word}'`).join(' ');
  const text = await tree.ok(`NSDIR_MOUNT=$PWD bash --norc -c '${script.replaceAll("'", `'\\''`)}' ${quoted}`);
  return text
    .split('\n')
    .filter((line) => line !== '')
    .sort();
}

it('has bash complete commands, options, containers as they are nested, and files', async () => {
  await tree.ok('mkdir -p web/job "web/a b" worker');
  expect(await offered('t')).toEqual(['tree']);
  expect(await offered('')).toEqual(expect.arrayContaining(['mount', 'doctor', '--help']));
  expect(await offered('')).not.toContain('daemon');
  expect(await offered('run', '--d')).toEqual(['--detach']);
  expect(await offered('tree', '-w')).toEqual(['-w']);
  expect(await offered('enter', 'w')).toEqual(['web', 'worker']);
  expect(await offered('logs', '-f', 'web/')).toEqual(['web/a b', 'web/job']);
  expect(await offered('run', '--mount', tree.dir, 'wor')).toEqual(['worker']);
  expect(await offered('mount', '--trace', '/etc/host')).toContain('/etc/hosts');
  expect(await offered('restore', '/etc/passw')).toContain('/etc/passwd');
  expect(await offered('mount', '--log-level', 'w')).toEqual([]);
  expect(await offered('run', 'web', '--', 'ls', '/etc/passw')).toContain('/etc/passwd');
});
