import { readSync, writeSync } from 'node:fs';
import { constants } from 'node:os';
import { systemErrno } from '../errno.ts';
import { loadKoffi } from './load-koffi.ts';

/** read(2) and write(2) as they are: the result, or the negative errno. */
export interface RawIo {
  /** Waits as the file does. */
  read(fd: number, buffer: Uint8Array): number;
  write(fd: number, buffer: Uint8Array, length: number): number;
}

/**
 * For the device, where a request's whole cost is some microseconds: called directly these cost a third of what
 * `fs.readSync` and `fs.writeSync` do, which stand in where koffi cannot be loaded.
 */
export function openRawIo(): RawIo {
  try {
    return direct();
  } catch {
    return { read: (fd, buffer) => orErrno(() => readSync(fd, buffer)), write: throughNode };
  }
}

function direct(): RawIo {
  const koffi = loadKoffi();
  const self = koffi.load(null);
  const read = self.func('long read(int fd, void *buffer, size_t count)');
  const write = self.func('long write(int fd, const void *buffer, size_t count)');
  const orNegative = (result: number) => (result >= 0 ? result : -koffi.errno());
  return {
    read: (fd, buffer) => orNegative(read(fd, buffer, buffer.length) as number),
    write: (fd, buffer, length) => orNegative(write(fd, buffer, length) as number),
  };
}

function throughNode(fd: number, buffer: Uint8Array, length: number): number {
  return orErrno(() => writeSync(fd, buffer, 0, length));
}

function orErrno(call: () => number): number {
  try {
    return call();
  } catch (error) {
    const errno = systemErrno(error);
    if (errno === undefined) throw error;
    return -((constants.errno as Readonly<Record<string, number>>)[errno] ?? constants.errno.EIO);
  }
}
