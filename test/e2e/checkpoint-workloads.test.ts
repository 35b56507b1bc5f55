import { describe, expect, it } from 'vitest';
import { eachWithTree, type Scratch } from '../support/checkpoints.ts';
import { detached, okInside } from '../support/containers.ts';
import { eventually, type Mounted } from '../support/mounted.ts';
import { workload } from '../support/workload.ts';

let tree: Mounted;
let disk: Scratch;
eachWithTree((mount, directory) => {
  [tree, disk] = [mount, directory];
});

/** Kinds of test/support/workloads/hold.py, what each says of itself, and what it is started with. */
const KINDS: readonly (readonly [kind: string, what: string, state: RegExp, ...options: string[]])[] = [
  ['cpu', 'one that computes', /^busy$/],
  ['tree', 'five processes with pipes', /^token[x.]+$/],
  ['tcp', 'a TCP server with a client', /^PING\d+$/, '--net'],
  ['threads', 'threads', /^4 threads True$/],
  ['tmpfs', 'files in memory', /^kept in memorykept in memory0o100640$/],
  ['deleted', 'an open file that was deleted', /^nobody else has this 0$/],
  ['unix', 'unix sockets', /^pairnamed$/],
  ['lock', 'file locks', /^True True$/],
  ['timer', 'timers, eventfd and epoll', /^2 ready True$/],
  ['shm', 'shared memory', /^shared True$/],
  ['namespaces', 'a child with mounts and a network of its own', /^own mount loFalse$/, '--net'],
];

describe('goes on at the next number, as it was:', () => {
  it.for(KINDS)('%s, %s', async ([kind, , state, ...options]) => {
    const lines = () => disk.read('report').split('\n').filter(Boolean);
    const number = (line = '') => Number(line.split(' ')[0]);
    const stateOf = (line = '') => line.slice(line.indexOf(' ') + 1);
    await detached(tree, 'web', workload('hold', kind, disk.at('report'), disk.dir), ...options);
    await eventually(() => lines().length > 3, 'it has begun');
    expect(stateOf(lines().at(-1))).toMatch(state);

    const saved = await tree.sh(`tar cf ${disk.at('web.tar')} web`);
    expect(saved, await tree.ok('cat web/.error 2>/dev/null || :')).toEqual({ status: 0, stdout: '', stderr: '' });
    await tree.ok('rm -rf web');
    const before = lines();
    const restored = await tree.sh(`tar xf ${disk.at('web.tar')}`);
    expect(restored, await tree.ok('cat web/.error 2>/dev/null || :')).toEqual({ status: 0, stdout: '', stderr: '' });
    await eventually(() => lines().length > before.length + 3, 'it goes on');

    const after = lines().slice(before.length);
    expect(number(after[0])).toBeGreaterThan(1);
    expect(number(after[0])).toBeLessThanOrEqual(number(before.at(-1)) + 1);
    expect(after.map(number)).toEqual(after.map((_, index) => number(after[0]) + index));
    expect(new Set(after.map(stateOf))).toEqual(new Set([stateOf(before.at(-1))]));
  });
});

it('lets a Node HTTP server answer before and after', async () => {
  const server = `let n = 0; require('http').createServer((q, a) => a.end(String(++n))).listen(8080, '127.0.0.1')`;
  await detached(tree, 'web', [process.execPath, '-e', server], '--net');
  const ask = `${process.execPath} -e 'fetch("http://127.0.0.1:8080").then((r) => r.text()).then(console.log)'`;
  await eventually(async () => Number(await okInside(tree, 'web', ask)) >= 1, 'it answers');
  const before = Number(await okInside(tree, 'web', ask));
  await tree.ok(`tar cf ${disk.at('web.tar')} web && rm -rf web && tar xf ${disk.at('web.tar')}`);
  expect(Number(await okInside(tree, 'web', ask))).toBe(before + 1);
});
