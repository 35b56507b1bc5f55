import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { CONTROL_ENTRIES } from '../../src/tree/control/table.ts';
import { processesOf } from '../support/containers.ts';
import { eventually, mounted, type Mounted } from '../support/mounted.ts';

type Item = { readonly text: string } | { readonly bytes: number };

interface Row {
  /** A container that has the entry. */
  readonly at: string;
  readonly errno: string;
  /** Wrong writes of its own, besides those that are wrong everywhere. */
  readonly more?: readonly string[];
  /** Whether the reason is in `.error`; what the kernel itself refuses is not. */
  readonly told?: false;
}

/** One more control entry is one more row here. */
const ROWS: Readonly<Record<string, Row>> = {
  '.state': {
    at: 'web',
    errno: 'EINVAL',
    more: [
      'RUNNING',
      'run',
      'running running',
      'running nonesuch',
      'running ,',
      'running +',
      'running net,nonesuch',
      'frozen net',
      'stopped now',
      'removing',
      'declared',
      'running\nfrozen',
      'running mnt uts',
      '{"state":"running"}',
    ],
  },
  '.init': { at: 'web', errno: 'ELOOP', told: false },
  '.nsproxy': { at: 'web', errno: 'EINVAL', more: ['net'] },
  '.ns': { at: 'web', errno: 'EISDIR', told: false },
  '.procs': { at: 'web', errno: 'EINVAL', more: ['-1', '0x1', '1 2', '1,2', 'self', '00000000001'] },
  '.stat': { at: 'web', errno: 'EINVAL', more: ['0', 'cpu.usage_usec 0'] },
  '.signal': {
    at: 'web',
    errno: 'EINVAL',
    more: [
      '0',
      '65',
      '-9',
      '9.5',
      '1e1',
      '0x9',
      ' TERM KILL',
      'SIG',
      'NOSUCH',
      'RTMIN+31',
      'RTMIN-1',
      '99999999999',
      'TERM\nKILL',
      '__proto__',
      'SIGconstructor',
    ],
  },
  '.events': { at: 'web', errno: 'EINVAL', more: ['killed'] },
  '.exit': { at: 'ended', errno: 'EINVAL', more: ['0'] },
  '.error': { at: 'refused', errno: 'EINVAL', more: ['none'] },
  // There only once it was linked.
  '.bundle': { at: 'web', errno: 'ENOENT', told: false },
  '.cgroup': { at: 'web', errno: 'ELOOP', told: false },
  '.self': { at: '.', errno: 'ELOOP', told: false },
  '.proxy': { at: '.', errno: 'EISDIR', told: false },
  '.checkpoint': { at: 'web', errno: 'EISDIR', told: false },
  // There only while something was discovered.
  '.origin': { at: 'web', errno: 'ENOENT', told: false },
  '.unshown': { at: '.', errno: 'ENOENT', told: false },
};

/** Wrong for every entry: nothing, garbage, binary, very long, control sequences of a terminal. */
const EVERYWHERE: readonly Item[] = [
  { text: '\n' },
  { text: ' \t\n' },
  { text: 'garbage' },
  { text: '\0' },
  { text: '\0running' },
  { text: '\xff\xfe\x00\x80' },
  { text: '\x1b[2J\x9b2J\x07' },
  { text: '../../etc/passwd' },
  { text: '-1' },
  { text: '99999999999999999999' },
  { bytes: 4096 },
  { bytes: 4097 },
  { bytes: 1 << 20 },
];

const LIMIT_CHARACTERS = 300;
const WRITER = fileURLToPath(new URL('../support/write-bytes.py', import.meta.url));

let tree: Mounted;
beforeAll(async () => {
  tree = await mounted();
  await tree.ok(
    'mkdir -p web/job ended refused plain; for at in web web/job refused; do echo running > $at/.state; done',
  );
  await tree.nsdir('run', 'ended', '--', 'sh', '-c', 'exit 3');
  await tree.sh('echo wrong > refused/.state');
  // All that was begun has come to its end, so that what changes afterwards is a wrong write's doing.
  await eventually(async () => (await tree.ok('cat ended/.state')) === 'stopped', 'the one that ended has stopped');
  await eventually(() => processesOf(tree).length === 3, 'an init for each that runs');
});
afterAll(() => tree[Symbol.asyncDispose]());

/** All that a wrong write must leave as it is. */
async function everything(): Promise<string> {
  const shown = await tree.ok(
    `find . ! -name .error ! -path '*/.self' -printf '%p %y %m %U %l\\n' | sort
    for at in web web/job ended refused; do cat $at/.state $at/.procs $at/.exit 2>/dev/null; done
    cut -f 2- .events`,
  );
  return `${shown}\n${processesOf(tree).join(' ')}`;
}

/** For each item the errno's name and what `.error` then says. */
async function write(at: string, name: string, items: readonly Item[]): Promise<[errno: string, reason: string][]> {
  const stdout = await tree.ok(`python3 ${WRITER} ${at} ${name}`, { input: JSON.stringify(items), stdin: undefined });
  return JSON.parse(stdout) as [string, string][];
}

test('there is a row for every control entry', () => {
  expect(Object.keys(ROWS)).toEqual(CONTROL_ENTRIES.map(({ name }) => name));
});

test.each(Object.entries(ROWS))(
  'every wrong write to %s is refused, with a reason, and changes nothing',
  async (name, row) => {
    const before = await everything();
    const items = [...EVERYWHERE, ...(row.more ?? []).map((text) => ({ text }))];
    const outcomes = await write(row.at, name, items);
    for (const [index, item] of items.entries()) {
      const [errno, reason] = outcomes[index] ?? [];
      const told = row.told !== false;
      const isLong = 'bytes' in item && item.bytes > 4096;
      expect([item, errno]).toEqual([item, told && isLong ? 'EINVAL' : row.errno]);
      if (told) expectReason(item, errno, reason ?? '');
    }
    expect(await everything()).toBe(before);
  },
);

/** One line: the errno, why, and what to do. */
function expectReason(item: Item, errno: string | undefined, reason: string): void {
  expect([item, reason]).toEqual([item, expect.stringMatching(new RegExp(`^${errno ?? ''}: .{15,}\n$`))]);
  expect([item, reason]).toEqual([item, expect.stringMatching(/; (write|start|there are|\.state)|: write /)]);
  expect(reason.length).toBeLessThan(LIMIT_CHARACTERS);
  expect(reason.trimEnd()).not.toMatch(/[\x00-\x1f\x7f-\x9f]/);
}

/** Commands that are right words at the wrong moment. */
test.each([
  ['plain', '.state', 'frozen', 'EBUSY', 'start it first'],
  ['ended', '.state', 'frozen', 'EBUSY', 'start it first'],
  ['web', '.state', 'running +net', 'EBUSY', 'write stopped to .state first'],
  ['web', '.state', 'running mnt,uts', 'EBUSY', 'write stopped to .state first'],
  ['.', '.state', 'stopped', 'EBUSY', 'choose a container below it'],
  ['.', '.state', 'frozen', 'EBUSY', 'choose a container below it'],
  ['.', '.state', 'running', 'EBUSY', 'choose a container below it'],
  ['icy/inner', '.state', 'running', 'EBUSY', '"icy" is frozen; write running to its .state'],
  ['icy/plain', '.state', 'running', 'EBUSY', '"icy" is frozen; write running to its .state first'],
  ['foreign', '.state', 'running', 'EPERM', 'let another user own it (chown)'],
  ['web', '.procs', '1', 'EPERM', 'process 1 is the init of a container'],
  ['web', '.procs', '4194305', 'ESRCH', 'there is no process'],
])('%s%s: "%s" is %s', async (at, name, text, errno, remedy) => {
  await tree.ok(`mkdir -p icy/inner icy/plain foreign; chown 4711 foreign
    [ -e icy/.state ] || for at in icy/inner icy; do echo running > $at/.state; done; echo frozen > icy/.state`);
  const before = await everything();
  const { status } = await tree.sh(`printf '${text}' > ${at}/${name}`);
  expect(status).not.toBe(0);
  expect(await tree.ok(`cat ${at}/.error`)).toMatch(new RegExp(`^${errno}: .*`));
  expect(await tree.ok(`cat ${at}/.error`)).toContain(remedy);
  expect(await everything()).toBe(before);
});

test('who does not own a container cannot write to its entries at all', async () => {
  const before = await everything();
  for (const name of ['.state', '.signal', '.procs', '.stat', '.events']) {
    const { status, stderr } = await tree.as(1000, `echo running > web/${name}`);
    expect([name, status, stderr]).toEqual([name, 2, expect.stringContaining('Permission denied')]);
  }
  expect(await everything()).toBe(before);
});

test('what is no file of this tree cannot be made under a control entry’s name', async () => {
  for (const command of [
    'mkdir web/.new',
    'ln -s x web/.new',
    'mkfifo web/.new',
    'touch web/.new',
    'ln -s x plain/.state',
    'mkfifo plain/.state',
    'mkdir plain/.state',
  ]) {
    const before = await everything();
    expect([command, (await tree.sh(command)).status]).toEqual([command, 1]);
    expect(await everything()).toBe(before);
  }
});
