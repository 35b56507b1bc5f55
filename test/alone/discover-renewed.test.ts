import { existsSync, writeFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { scratch } from '../support/containers.ts';
import { discovering, making, numberOf, shown, vanished, whereIs } from '../support/found.ts';
import { eventually, type Mounted } from '../support/mounted.ts';

/**
 * Makes a uts namespace and prints its pid. With the file `child`: has a child that makes one of its own. With the file
 * `again`: makes others, one after the other, until one has the number of the first, which it has left by then.
 */
const PROGRAM = `
import ctypes, os, sys, time
libc = ctypes.CDLL(None)
number = lambda: os.stat('/proc/self/ns/uts').st_ino
def wait(name):
    while not os.path.exists(os.path.join(sys.argv[1], name)): time.sleep(0.01)
def unshare():
    if libc.unshare(0x04000000) != 0: sys.exit('cannot unshare')
unshare()
first = number()
print(os.getpid(), flush=True)
wait('child')
if sys.argv[2] == 'child' and os.fork() == 0:
    unshare()
    time.sleep(1000)
wait('again')
unshare()
for _ in range(1000):
    unshare()
    if number() == first: break
else:
    sys.exit('the number was not given again')
open(os.path.join(sys.argv[1], 'done'), 'w')
while True: time.sleep(0.05)`;

const UNTOLD = 'this kernel does not tell unique numbers of namespaces';

async function tellsUniqueNumbers(tree: Mounted): Promise<boolean> {
  return (await tree.ok('awk \'$1 == "uts" { print $3 }\' .nsproxy')) !== '-';
}

it.for(['on', 'exact'] as const)(
  'never takes a container for the one whose numbers it has, though the same process was in both (%s)',
  async (how, { skip }) => {
    using files = scratch();
    await using tree = await discovering(how);
    skip(how === 'on' && !(await tellsUniqueNumbers(tree)), UNTOLD);
    await using maker = await making('python3', '-c', PROGRAM, files.dir, 'alone');
    const before = await numberOf(tree, await shown(tree, maker.pid));
    for (const name of ['child', 'again']) writeFileSync(files.at(name), '');
    await eventually(() => existsSync(files.at('done')), 'it has namespaces with the old numbers');
    await vanished(tree, before);
    expect(await numberOf(tree, await shown(tree, maker.pid))).not.toBe(before);
  },
);

it.for(['on', 'exact'] as const)('leaves what was made in the old one below that (%s)', async (how, { skip }) => {
  using files = scratch();
  await using tree = await discovering(how);
  skip(how === 'on' && !(await tellsUniqueNumbers(tree)), UNTOLD);
  await using maker = await making('python3', '-c', PROGRAM, files.dir, 'child');
  const old = await shown(tree, maker.pid);
  const before = await numberOf(tree, old);
  writeFileSync(files.at('child'), '');
  await eventually(async () => (await tree.ok(`ls '${old}'`)) !== '', 'what its child made is shown below it');
  const inside = await tree.ok(`ls '${old}'`);
  writeFileSync(files.at('again'), '');
  await eventually(() => existsSync(files.at('done')), 'it has namespaces with the old numbers');
  await eventually(async () => (await whereIs(tree, maker.pid)) !== old, 'it is in a container of its own');
  const now = await shown(tree, maker.pid);
  expect(await numberOf(tree, now)).not.toBe(before);
  expect(await numberOf(tree, old)).toBe(before);
  expect(await tree.ok(`cat '${old}/.procs'; ls -d '${old}/${inside}'`)).toBe(`${old}/${inside}`);
});
