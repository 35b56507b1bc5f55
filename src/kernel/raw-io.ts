import { readSync, writeSync } from 'node:fs';
import { constants } from 'node:os';
import { systemErrno } from '../errno.ts';
import { loadKoffi } from './load-koffi.ts';

/** read(2) and write(2) as they are: the result, or the negative errno. */
export interface RawIo {
  /** Waits as the file does. */
  read(fd: number, buffer: Uint8Array): number;
  write(fd: number, buffer: Uint8Array, length: number): number;
  /** Whether the device's connection has ended (poll(2): POLLERR, without any wait); false where that cannot be asked. */
  isEnded(fd: number): boolean;
  /**
   * A buffer to read the device with, for as long as we live: its memory is there, and a fork(2) leaves it alone. The kernel
   * has to wait for memory that is not, and so for the copy that is due after a fork; if we are killed then, the request
   * fails (EIO) instead of being sent again to who comes after us (fuse_dev_do_read, fs/fuse/dev.c).
   */
  steadyBuffer(bytes: number): Buffer;
}

/** asm-generic/mman-common.h, asm-generic/mman.h */
const PROT_READ_WRITE = 3;
const MAP_PRIVATE_ANONYMOUS_POPULATE = 0x8022;
const MADV_DONTFORK = 10;

/** asm-generic/poll.h; struct pollfd: int fd, short events, short revents. */
const POLLERR = 8;
const POLLFD_BYTES = 8;
const REVENTS_AT = 6;

/**
 * For the device, where a request's whole cost is some microseconds: called directly these cost a third of what
 * `fs.readSync` and `fs.writeSync` do, which stand in where koffi cannot be loaded.
 */
export function openRawIo(): RawIo {
  try {
    return direct();
  } catch {
    return {
      read: (fd, buffer) => orErrno(() => readSync(fd, buffer)),
      write: throughNode,
      isEnded: () => false,
      steadyBuffer: (bytes) => Buffer.alloc(bytes),
    };
  }
}

function direct(): RawIo {
  const koffi = loadKoffi();
  const self = koffi.load(null);
  const read = self.func('long read(int fd, void *buffer, size_t count)');
  const write = self.func('long write(int fd, const void *buffer, size_t count)');
  const poll = self.func('int poll(void *fds, unsigned long count, int timeoutMs)');
  const mmap = self.func('intptr_t mmap(void *at, size_t length, int prot, int flags, int fd, long offset)');
  const madvise = self.func('int madvise(intptr_t at, size_t length, int advice)');
  const mlock = self.func('int mlock(intptr_t at, size_t length)');
  const orNegative = (result: number) => (result >= 0 ? result : -koffi.errno());
  return {
    read: (fd, buffer) => orNegative(read(fd, buffer, buffer.length) as number),
    write: (fd, buffer, length) => orNegative(write(fd, buffer, length) as number),
    isEnded(fd) {
      const polled = Buffer.alloc(POLLFD_BYTES);
      polled.writeInt32LE(fd);
      poll(polled, 1, 0);
      return (polled.readInt16LE(REVENTS_AT) & POLLERR) !== 0;
    },
    steadyBuffer(bytes) {
      const at = mmap(null, bytes, PROT_READ_WRITE, MAP_PRIVATE_ANONYMOUS_POPULATE, -1, 0) as number | bigint;
      if (BigInt(at) === -1n) return Buffer.alloc(bytes);
      madvise(at, bytes, MADV_DONTFORK);
      // Who may not (RLIMIT_MEMLOCK) has memory that may be swapped out.
      mlock(at, bytes);
      return Buffer.from(koffi.view(BigInt(at), bytes));
    },
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
