/** Which files the kernel reads and writes itself, and what the next daemon knows of it. */
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Passthrough } from '../../../../mount/device/passthrough.ts';
import { FsError, type Errno } from '../../../../src/errno.ts';
import type { BackingFiles } from '../../../../src/kernel/backing-files.ts';
import type { NodeId } from '../../../../src/tree/node-id.ts';

let directory: string;
let paper: string;
/** Two files, open. */
let [one, two]: [number, number] = [0, 0];
beforeEach(() => {
  directory = mkdtempSync(path.join(tmpdir(), 'nsdir-unit-'));
  paper = path.join(directory, 'passed');
  [one, two] = [openSync(path.join(directory, 'one'), 'w'), openSync(path.join(directory, 'two'), 'w')];
});
afterEach(() => {
  for (const fd of [one, two]) closeSync(fd);
  rmSync(directory, { recursive: true });
});

const [A, B] = [100 as NodeId, 200 as NodeId];

/** A device that numbers what it is handed, and notes what it is to do. */
class Device implements BackingFiles {
  readonly did: string[] = [];
  refusal: Errno | undefined;
  #next = 7;

  open(fd: number): number {
    this.did.push(`open ${fd === one ? 'one' : 'two'}`);
    if (this.refusal) throw new FsError(this.refusal, 'no');
    return this.#next++;
  }

  close(id: number): void {
    this.did.push(`close ${id}`);
  }
}

test('all who have a node open at once have the same number, which is given back behind the last', () => {
  const device = new Device();
  const passthrough = new Passthrough(device, paper);
  expect(passthrough.begin(A, 2, one)).toBe(7);
  expect(passthrough.begin(A, 4, one)).toBe(7);
  expect(passthrough.begin(B, 6, two)).toBe(8);
  passthrough.end(A, 2);
  passthrough.end(A, 2);
  passthrough.end(B, 4);
  expect(device.did).toEqual(['open one', 'open two']);
  passthrough.end(A, 4);
  expect(device.did).toEqual(['open one', 'open two', 'close 7']);
  expect(passthrough.begin(A, 8, one)).toBe(9);
});

test('the next daemon goes on with the numbers of those who still have it open, and gives them back', () => {
  const former = new Passthrough(new Device(), paper);
  former.begin(A, 2, one);
  former.begin(A, 4, one);
  former.begin(B, 6, two);
  former.end(A, 2);
  writeFileSync(paper, '+ 300 8 9', { flag: 'a' }); // torn
  const device = new Device();
  const next = new Passthrough(device, paper);
  expect(next.begin(A, 10, one)).toBe(7);
  next.end(A, 10);
  next.end(300 as NodeId, 8);
  expect(device.did).toEqual([]);
  next.end(A, 4);
  next.end(B, 6);
  expect(device.did).toEqual(['close 7', 'close 8']);
  expect(readFileSync(paper, 'utf8')).toBe('');
});

test('a node that is another file than the one that somebody has open is not passed on: he would get that one', () => {
  const device = new Device();
  const passthrough = new Passthrough(device, paper);
  passthrough.begin(A, 2, one);
  expect(passthrough.begin(A, 4, two)).toBeUndefined();
  passthrough.end(A, 4);
  expect(device.did).toEqual(['open one']);
});

test('a device that cannot is asked once', () => {
  const device = new Device();
  device.refusal = 'EPERM';
  const passthrough = new Passthrough(device, paper);
  expect(passthrough.begin(A, 2, one)).toBeUndefined();
  expect(passthrough.begin(B, 4, two)).toBeUndefined();
  expect(device.did).toEqual(['open one']);
});

test('without room for its paper, files are passed on all the same', () => {
  const passthrough = new Passthrough(new Device(), path.join(directory, 'nowhere', 'passed'));
  expect(passthrough.begin(A, 2, one)).toBe(7);
});

test('what is written down does not grow with history while somebody has one open', () => {
  const passthrough = new Passthrough(new Device(), paper);
  passthrough.begin(A, 2, one);
  for (let handle = 4; handle < 20_000; handle += 2) {
    passthrough.begin(B, handle, two);
    passthrough.end(B, handle);
  }
  expect(readFileSync(paper).length).toBeLessThan(1 << 17);
  const device = new Device();
  new Passthrough(device, paper).end(A, 2);
  expect(device.did).toEqual(['close 7']);
});
