import { afterAll, beforeAll, expect, it } from 'vitest';
import { mounted, type Mounted } from '../support/mounted.ts';

let tree: Mounted;
beforeAll(async () => {
  tree = await mounted();
});
afterAll(() => tree[Symbol.asyncDispose]());

it('sets the time that was asked for and leaves the other (UTIME_OMIT)', async () => {
  await tree.ok('mkdir web && touch -d @11 web');
  expect(await tree.ok('touch -a -d @22 web; stat -c "%X %Y" web')).toBe('22 11');
  expect(await tree.ok('touch -m -d @33 web; stat -c "%X %Y" web')).toBe('22 33');
});

it('keeps times to the nanosecond, also those before 1970', async () => {
  await tree.ok('mkdir exact');
  expect(await tree.ok('touch -d @5.123456789 exact; stat -c %.9Y exact')).toBe('5.123456789');
  expect(await tree.ok('touch -d @-5.5 exact; stat -c %.9Y exact')).toBe('-5.500000000');
});

it('tells of the last change of a directory, and of nothing else, by its mtime', async () => {
  await tree.ok('mkdir p');
  const changes = ['mkdir p/a', 'mv p/a p/b', 'mkdir p/c', 'mv -T p/b p/c', 'mv p/c .', 'mv c p/c', 'rmdir p/c'];
  for (const change of changes) {
    expect(await tree.ok(`touch -d @1 p; ${change}; stat -c %Y p`), change).not.toBe('1');
  }
  const others = [
    'mkdir p/d; touch -d @1 p; mkdir p/d/e',
    'chmod 700 p',
    'chmod 700 p/d',
    'ls -lR p >&2',
    'mv p q; mv q p',
  ];
  for (const other of others) {
    expect(await tree.ok(`touch -d @1 p; ${other}; stat -c %Y p`), other).toBe('1');
  }
});

it('tells of the last change of anything by its ctime', async () => {
  await tree.ok('mkdir r');
  for (const change of ['chmod 700 r', 'chown 1 r', 'touch -d @1 r', 'mkdir r/a', 'rmdir r/a', 'mv r t; mv t r']) {
    const times = await tree.ok(`stat -c %.9Z r; sleep 0.01; ${change}; stat -c %.9Z r`);
    const [before, after] = times.split('\n').map(Number);
    expect(after, change).toBeGreaterThan(before!);
  }
});

it('lets an owner set times, and whoever may write only to now', async () => {
  await tree.ok('mkdir open && chmod 777 open && touch -d @1 open');
  expect((await tree.as(1001, 'touch -d @2 open')).stderr).toContain('Operation not permitted');
  expect(await tree.as(1001, 'touch open')).toMatchObject({ status: 0 });
  expect(Number(await tree.ok('stat -c %Y open'))).toBeGreaterThan(1_500_000_000);
});
