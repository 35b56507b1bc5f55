import { FsError, errnoName } from '../errno.ts';
import { loadKoffi } from './load-koffi.ts';

/** sys/socket.h, poll.h; the same on all machines that Node runs on. */
const AF_UNIX = 1;
const SOCK_STREAM = 1;
const SOCK_CLOEXEC = 0o2000000;
const MSG_DONTWAIT = 0x40;
const MSG_NOSIGNAL = 0x4000;
const POLLIN = 1;

const RECEIVE_BYTES = 4096;

/** Both ends of a stream between two processes (socketpair(2)). ENOSYS, EMFILE. */
export function socketPair(): readonly [number, number] {
  const ends = new Int32Array(2);
  const { socketpair, errno } = libc();
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) !== 0) {
    const name = errnoName(errno());
    throw new FsError(name, `Cannot make a socket: ${name}`);
  }
  return [ends[0] ?? -1, ends[1] ?? -1];
}

/**
 * What comes over a socket within `limitMs`, without a turn of the event loop, which would cost more than most answers take;
 * empty if nothing does. This thread waits: for answers of some microseconds, with a limit of few milliseconds.
 */
export function receiveSoon(fd: number, limitMs: number): Buffer {
  const { poll, recv } = libc();
  const polled = new Int32Array([fd, POLLIN]);
  if (poll(polled, 1, limitMs) !== 1) return Buffer.alloc(0);
  return Buffer.from(received.subarray(0, Math.max(0, recv(fd, received, received.length, MSG_DONTWAIT))));
}

const received = Buffer.alloc(RECEIVE_BYTES);

/** Sends what the socket takes at once: how many bytes. None where there is an error, of which whoever reads the socket hears. */
export function sendNow(fd: number, bytes: Buffer): number {
  return Math.max(0, libc().send(fd, bytes, bytes.length, MSG_DONTWAIT | MSG_NOSIGNAL));
}

interface Libc {
  readonly socketpair: (family: number, type: number, protocol: number, ends: Int32Array) => number;
  readonly poll: (polled: Int32Array, count: number, limitMs: number) => number;
  readonly recv: (fd: number, bytes: Buffer, length: number, flags: number) => number;
  readonly send: (fd: number, bytes: Buffer, length: number, flags: number) => number;
  readonly errno: () => number;
}

let loaded: Libc | undefined;

function libc(): Libc {
  return (loaded ??= load());
}

function load(): Libc {
  const koffi = loadKoffi();
  const self = koffi.load(null);
  return {
    socketpair: self.func('int socketpair(int family, int type, int protocol, void *ends)'),
    poll: self.func('int poll(void *polled, unsigned long count, int limitMs)'),
    recv: self.func('long recv(int fd, void *bytes, size_t length, int flags)'),
    send: self.func('long send(int fd, const void *bytes, size_t length, int flags)'),
    errno: () => koffi.errno(),
  };
}
