import { closeSync, ftruncateSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { freeSlot, InFlight, lostNumbers } from '../../../../mount/device/in-flight.ts';

let directory: string;
let fd: number;

beforeEach(() => {
  directory = mkdtempSync(path.join(tmpdir(), 'nsdir-in-flight-'));
  fd = openSync(path.join(directory, 'file'), 'w+');
});

afterEach(() => {
  closeSync(fd);
  rmSync(directory, { recursive: true });
});

/** A request with this number, and `more` bytes behind its header. */
function request(unique: number, more = 0): Buffer {
  const bytes = Buffer.alloc(40 + more, 7);
  bytes.writeBigUInt64LE(BigInt(unique), 8);
  return bytes;
}

describe('InFlight', () => {
  it('leaves to the next daemon what was not answered, byte for byte', () => {
    const before = new InFlight(fd);
    const slots = [request(2), request(4, 9), request(6)].map((bytes) => before.keep(bytes));
    freeSlot(fd, slots[0] ?? -1);
    const after = new InFlight(fd);
    expect(after.unanswered).toEqual([
      { slot: 1, bytes: new Uint8Array(request(4, 9)) },
      { slot: 2, bytes: new Uint8Array(request(6)) },
    ]);
    expect(after.lastUnique).toBe(6);
  });

  it('takes a freed slot again, and never one that is in use', () => {
    const inFlight = new InFlight(fd);
    expect([inFlight.keep(request(2)), inFlight.keep(request(4))]).toEqual([0, 1]);
    freeSlot(fd, 0);
    inFlight.reuse(0);
    expect([inFlight.keep(request(6)), inFlight.keep(request(8))]).toEqual([0, 2]);
  });

  it('takes the slots freed by a former daemon, not those it left in use', () => {
    const before = new InFlight(fd);
    for (const unique of [2, 4, 6]) before.keep(request(unique));
    freeSlot(fd, 1);
    const after = new InFlight(fd);
    expect([after.keep(request(8)), after.keep(request(10))]).toEqual([1, 3]);
  });

  it('passes over a slot that a crash tore', () => {
    const before = new InFlight(fd);
    before.keep(request(2, 100));
    ftruncateSync(fd, 60);
    expect(new InFlight(fd).unanswered).toEqual([]);
    writeSync(fd, Buffer.alloc(60, 0xff), 0, 60, 0);
    expect(new InFlight(fd).unanswered).toEqual([]);
  });

  it('cuts what no control entry takes in one write', () => {
    new InFlight(fd).keep(request(2, 100_000));
    expect(new InFlight(fd).unanswered.map(({ bytes }) => bytes.length)).toEqual([8188]);
  });
});

describe('lostNumbers', () => {
  it('names the even numbers around the last one, but for those that are known', () => {
    const before = new InFlight(fd);
    for (const unique of [10_000, 10_002]) before.keep(request(unique));
    freeSlot(fd, 1);
    const lost = [...lostNumbers(new InFlight(fd))];
    expect(lost).toContain(10_002);
    expect(lost).toContain(10_004);
    expect(lost).not.toContain(10_000);
    expect(lost.every((unique) => unique % 2 === 0)).toBe(true);
    expect(lost.length).toBe(4096);
  });
});
