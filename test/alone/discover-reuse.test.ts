import { readlinkSync } from 'node:fs';
import { expect, it } from 'vitest';
import { discovering, numberOf, shown, unshared, vanished, type Maker } from '../support/found.ts';
import { eventually } from '../support/mounted.ts';
import { signal } from '../support/pinned.ts';

/** The kernel gives the lowest free number, and frees one a little after its namespace. */
const TRIES = 30;
/** Others on the machine may have taken a number for a while. */
const ROUNDS = 20;

const namespaceOf = (pid: number) => readlinkSync(`/proc/${pid}/ns/uts`);

/** A process whose namespace has this number. Those that were given others are held meanwhile. */
async function withNumber(number: string): Promise<Maker> {
  for (let round = 0; round < ROUNDS; round++) {
    const held: Maker[] = [];
    try {
      for (let tried = 0; tried < TRIES; tried++) {
        const made = await unshared(['--uts']);
        if (namespaceOf(made.pid) === number) return made;
        held.push(made);
      }
    } finally {
      for (const each of held) await each[Symbol.asyncDispose]();
    }
  }
  throw new Error(`no new namespace is ${number}`);
}

it('never takes a new container for an old one whose numbers it has', async () => {
  await using tree = await discovering();
  const seen = new Map<string, string>();
  for (let round = 0; round < 5; round++) {
    await using maker = await unshared(['--uts']);
    const at = await shown(tree, maker.pid);
    const [serial = '', line = ''] = (await tree.ok(`stat -c %i ${at}; grep ^uts ${at}/.nsproxy`)).split('\n');
    expect(seen.has(serial)).toBe(false);
    seen.set(serial, line.split(' ')[1] ?? '');
  }
  // The kernel did give an inode number again, or this showed nothing.
  expect(new Set(seen.values()).size).toBeLessThan(seen.size);
});

it('never takes one for another that ended while no daemon looked, though it has its numbers', async () => {
  await using tree = await discovering();
  const first = await unshared(['--uts']);
  const number = namespaceOf(first.pid);
  const before = await shown(tree, first.pid);
  await tree.ok(`mv ${before} kept`);
  const serial = await numberOf(tree, 'kept');

  signal(tree.daemon(), 'SIGSTOP');
  await first[Symbol.asyncDispose]();
  await using second = await withNumber(number).finally(() => tree.killDaemon());
  const at = await shown(tree, second.pid);
  expect([at === 'kept', (await tree.ok(`stat -c %i ${at}`)) === serial]).toEqual([false, false]);
  await vanished(tree, serial);
});

it('leaves nothing behind of thousands that live too short to be seen', async () => {
  await using tree = await discovering();
  const before = await tree.ok('stat -c %i . && grep -c . .events || :');
  await using maker = await unshared(['--uts'], 'exec sleep 1000');
  const at = await shown(tree, maker.pid);
  await tree.ok(
    `python3 -c '
import ctypes, os
libc = ctypes.CDLL(None)
for _ in range(3000):
    pid = os.fork()
    if pid == 0:
        libc.unshare(0x04000000)
        os._exit(0)
    os.waitpid(pid, 0)
'`,
  );
  await eventually(async () => (await tree.ok(`ls -d ${at}`)) === at, 'it is still there');
  const mine = await tree.ok(`for each in */; do cat $each/.procs; done 2>/dev/null | sort -u`);
  expect(mine.split('\n')).toContain(String(maker.pid));
  expect(before).not.toBe('');
});
