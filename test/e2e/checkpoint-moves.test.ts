import { readdirSync } from 'node:fs';
import { expect, it } from 'vitest';
import { counting, eachWithTree, nothingHeld, wentOn, type Scratch } from '../support/checkpoints.ts';
import { detached, okInside } from '../support/containers.ts';
import { eventually, mounted, type Mounted } from '../support/mounted.ts';
import { workload } from '../support/workload.ts';

let tree: Mounted;
let disk: Scratch;
eachWithTree((mount, directory) => {
  [tree, disk] = [mount, directory];
});

it('is suspended to disk by mv, which leaves no process of it, and comes back by mv', async () => {
  const counter = await counting(tree, 'web', disk.at('count'));
  await tree.ok(`mkdir ${disk.at('suspended')} && mv web ${disk.at('suspended')}/`);
  expect(await tree.ok('ls')).toBe('');
  const before = counter.last();
  await new Promise((resolve) => setTimeout(resolve, 300));
  expect(counter.last()).toBe(before);

  await tree.ok(`mv ${disk.at('suspended')}/web .`);
  expect(await tree.ok(`cat web/.state; ls ${disk.at('suspended')}`)).toBe('running');
  await counter.beyond(before);
  wentOn(counter.numbers(), 1);
  await nothingHeld(tree);
});

it('is cloned by cp -a of what was saved, and both run, each with its own name for commands', async () => {
  const counter = await counting(tree, 'web', disk.at('count'));
  await tree.ok(`cp -a web ${disk.at('saved')} && cp -a ${disk.at('saved')} twin`);
  expect(await tree.ok('cat web/.state twin/.state')).toBe('running\nrunning');
  const both = counter.last() + 6;
  await counter.beyond(both);
  // Two add to one file: what the one has written the other writes again.
  const numbers = counter.numbers();
  expect(new Set(numbers).size).toBeLessThan(numbers.length);
  expect(await okInside(tree, 'twin', 'readlink /proc/self/ns/pid')).not.toBe(
    await okInside(tree, 'web', 'readlink /proc/self/ns/pid'),
  );
  expect(await okInside(tree, 'twin', `mkdir ${tree.dir}/inner; ls ${tree.dir}`)).toBe('inner');
  expect(await tree.ok('ls twin; ls web')).toBe('inner');
});

it('writes its output where nsdir logs finds it, under its new number', async () => {
  await tree.nsdir('run', '-d', 'web', '--', 'sh', '-c', 'while :; do echo again; sleep 0.1; done');
  await tree.ok(`tar cf ${disk.at('web.tar')} web && rm -rf web && tar xf ${disk.at('web.tar')}`);
  await expect.poll(async () => (await tree.nsdir('logs', 'web')).stdout).toMatch(/^again$/m);
});

it('moves to another mount of the machine through a pipe, and can be saved again there', async () => {
  await using other = await mounted();
  const counter = await counting(tree, 'web', disk.at('count'));
  await tree.ok(`tar cf - web | tar xf - -C ${other.dir} && rm -rf web`);
  expect(await other.ok('cat web/.state')).toBe('running');
  // Both wrote until the one was removed.
  let alone = counter.numbers().length;
  await counter.beyond(counter.last() + 2);
  wentOn(counter.numbers().slice(alone), 0);

  await other.ok(`tar cf - web | tar xf - -C ${tree.dir} && rm -rf web`);
  alone = counter.numbers().length;
  await counter.beyond(counter.last() + 2);
  wentOn(counter.numbers().slice(alone), 0);
  expect(await tree.ok('cat web/.state')).toBe('running');
});

it('comes back frozen if it was saved frozen, and goes on when it is thawed', async () => {
  const counter = await counting(tree, 'web', disk.at('count'));
  await tree.ok(`echo frozen > web/.state; tar cf ${disk.at('web.tar')} web; cat web/.state`);
  await tree.ok(`rm -rf web && tar xf ${disk.at('web.tar')}`);
  const before = counter.last();
  expect(await tree.ok('cat web/.state')).toBe('frozen');
  await new Promise((resolve) => setTimeout(resolve, 300));
  expect(counter.last()).toBe(before);

  await tree.ok('echo running > web/.state');
  await counter.beyond(before);
  wentOn(counter.numbers(), 0);
});

it('is saved with the containers in it at one moment, and comes back with them in it', async () => {
  const [talk, one, two] = [disk.at('talk'), disk.at('one'), disk.at('two')];
  await tree.ok(`mkdir -p web/job ${talk} ${one} ${two}`);
  await detached(tree, 'web', workload('see-each-other', `${talk}/one`, `${talk}/two`, one));
  await detached(tree, 'web/job', workload('see-each-other', `${talk}/two`, `${talk}/one`, two));
  const said = (directory: string) =>
    readdirSync(directory)
      .map((line) => line.split(' ').map(Number))
      .sort(([left = 0], [right = 0]) => left - right);
  const both = (lines: number) => said(one).length > lines && said(two).length > lines;
  await eventually(() => both(50), 'both have begun');

  // They see each other no more, so each says first what it had seen when it was saved.
  await tree.ok(`tar cf ${disk.at('web.tar')} web && rm -rf web ${talk} ${one} ${two} && mkdir ${one} ${two}`);
  await tree.ok(`tar xf ${disk.at('web.tar')}`);
  expect(await tree.ok('cat web/.state web/job/.state; ls web')).toBe('running\nrunning\njob');
  await eventually(() => both(1), 'both go on');
  // What each had seen of the other when it was saved, the other had already counted.
  const [[ownOne = 0, seenOfTwo = 0] = [], [ownTwo = 0, seenOfOne = 0] = []] = [said(one)[0], said(two)[0]];
  expect(ownOne).toBeGreaterThan(50);
  expect(seenOfTwo).toBeGreaterThan(10);
  expect(seenOfTwo).toBeLessThanOrEqual(ownTwo);
  expect(seenOfOne).toBeLessThanOrEqual(ownOne);
  expect(await okInside(tree, 'web', 'ps ax | grep -c "[n]sdir-init"')).toBe('2');
});
