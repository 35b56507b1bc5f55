import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { deleteCommand, errorIn, findRuntime, lastLine, runCommand, sizeOf } from '../../../src/oci/runtime.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(path.join(tmpdir(), 'nsdir-unit-'));
});
afterEach(() => {
  delete process.env['NSDIR_RUNTIME'];
  rmSync(directory, { recursive: true });
});

const PLACE = { root: '/r', log: '/l', pidFile: '/p' };

test.each([
  ['runc', []],
  ['crun', ['--cgroup-manager', 'cgroupfs']],
])('%s is used as it wants to be', (name, options) => {
  const program = path.join(directory, name);
  writeFileSync(program, '');
  chmodSync(program, 0o755);
  process.env['NSDIR_RUNTIME'] = program;
  const runtime = findRuntime();
  const common = [program, ...options, '--root', '/r', '--log', '/l', '--log-format', 'json'];
  expect(runCommand(runtime, PLACE, '/b', 'x')).toEqual([
    ...common,
    ...['run', '--detach', '--pid-file', '/p', '--bundle', '/b', 'x'],
  ]);
  expect(deleteCommand(runtime, PLACE, 'x')).toEqual([...common, 'delete', '--force', 'x']);
});

test('ENOENT, and what to do, without any', () => {
  process.env['NSDIR_RUNTIME'] = path.join(directory, 'runc');
  expect(findRuntime).toThrow(
    expect.objectContaining({ errno: 'ENOENT', message: expect.stringMatching(/install/) as string }),
  );
});

test('errorIn is the last error of the log; lines that are none are passed over', () => {
  const log = path.join(directory, 'log');
  expect(errorIn(log)).toBeUndefined();
  const lines = [
    { level: 'warning', msg: 'w' },
    { level: 'error', msg: 'first' },
    { level: 'error', msg: 'runc run failed: x\n' },
    { level: 'error' },
  ];
  writeFileSync(log, `${lines.map((line) => JSON.stringify(line)).join('\n')}\nno json\n{"level":"err`);
  expect(errorIn(log)).toBe('runc run failed: x');
});

test('lastLine is the last that was said since, if anything', () => {
  const output = path.join(directory, 'output');
  expect(lastLine(output, sizeOf(output))).toBeUndefined();
  writeFileSync(output, 'of before\n');
  const before = sizeOf(output);
  expect(lastLine(output, before)).toBeUndefined();
  writeFileSync(output, 'more\nchdir `/b` failed: No such file or directory\n\n', { flag: 'a' });
  expect(lastLine(output, before)).toBe('chdir `/b` failed: No such file or directory');
  writeFileSync(output, 'x'.repeat(1 << 20), { flag: 'a' });
  expect(lastLine(output, before)).toHaveLength(4096);
});
