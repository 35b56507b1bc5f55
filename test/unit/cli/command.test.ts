import { describe, expect, test, vi } from 'vitest';
import { defineCommand, type Invocation, UsageError } from '../../../src/cli/command.ts';
import { COMMANDS } from '../../../src/cli/commands.ts';

const OPTIONS = {
  detach: { type: 'boolean', short: 'd', summary: 'do not wait' },
  ns: { type: 'string', argument: 'LIST', summary: 'these kinds' },
} as const;

type Seen = Invocation<typeof OPTIONS>;

/** A command that keeps what it was called with. */
function probe(words: readonly [number, number], rest?: 'required' | 'optional') {
  const seen: Seen[] = [];
  const command = defineCommand({
    name: 'probe',
    summary: 'try',
    usage: 'NAME',
    options: OPTIONS,
    words,
    ...(rest === undefined ? {} : { rest }),
    run: (invocation) => {
      seen.push(invocation);
      return Promise.resolve(7);
    },
  });
  return { command, seen };
}

describe('defineCommand', () => {
  test('gives options, words and what follows "--"', async () => {
    const { command, seen } = probe([1, 1], 'required');
    expect(await command.run(['-d', 'web', '--ns', 'mnt,uts', '--', 'ls', '-l', '--', 'x'])).toBe(7);
    expect(seen).toEqual([{ values: { detach: true, ns: 'mnt,uts' }, words: ['web'], rest: ['ls', '-l', '--', 'x'] }]);
  });

  test.each([
    { argv: ['--bogus'], message: /Unknown option '--bogus'/ },
    { argv: ['a', '--ns'], message: /--ns/ },
    { argv: [], message: /too few.*nsdir probe NAME/ },
    { argv: ['a', 'b'], message: /unexpected argument "b"/ },
    { argv: ['a', '--', 'b'], message: /nothing may follow/ },
  ])('refuses $argv', async ({ argv, message }) => {
    const { command, seen } = probe([1, 1]);
    await expect(command.run(argv)).rejects.toThrow(UsageError);
    await expect(command.run(argv)).rejects.toThrow(message);
    expect(seen).toEqual([]);
  });

  test.each([
    { argv: ['web', 'sleep', '1'], typed: 'nsdir probe web -- sleep 1' },
    { argv: ['-d', '--ns', 'mnt', 'web', 'ls', '-l', '$x'], typed: "nsdir probe -d --ns mnt web -- ls -l '$x'" },
    { argv: ['web', 'ls', '--help'], typed: 'nsdir probe web -- ls --help' },
  ])('says what to type for a command without "--": $argv', async ({ argv, typed }) => {
    const { command, seen } = probe([1, 1], 'required');
    await expect(command.run(argv)).rejects.toThrow(`put -- before the command: ${typed}`);
    expect(seen).toEqual([]);
  });

  test('says how a name is written that begins with a dash', async () => {
    await expect(probe([1, 1], 'required').command.run(['--', '-x', 'y'])).rejects.toThrow('written ./-x');
  });

  test.each([[['a']], [['a', '--']]])('refuses %j where a command must follow', async (argv) => {
    await expect(probe([1, 1], 'required').command.run(argv)).rejects.toThrow(/command is missing/);
  });

  test('does nothing but show help for --help, whatever else is given', async () => {
    const { command, seen } = probe([1, 1]);
    const write = vi.spyOn(process.stdout, 'write').mockReturnValue(true);
    try {
      expect(await command.run(['--help'])).toBe(0);
      expect(write.mock.calls.map(([text]) => text)).toEqual([command.help()]);
    } finally {
      write.mockRestore();
    }
    expect(seen).toEqual([]);
  });

  test('makes the help from the table', () => {
    const help = probe([1, 1]).command.help();
    expect(help).toContain('nsdir probe NAME');
    expect(help).toMatch(/^ {2}-d, --detach {3}do not wait$/m);
    expect(help).toMatch(/^ {6}--ns LIST {2}these kinds$/m);
    expect(help).toMatch(/^ {2}-h, --help/m);
  });
});

describe('COMMANDS', () => {
  test.each(COMMANDS)('$name has a help that fits 120 columns', async (row) => {
    const lines = (await row.load()).help().split('\n');
    expect(lines[0]).toContain(`nsdir ${row.name}`);
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(120);
  });
});
