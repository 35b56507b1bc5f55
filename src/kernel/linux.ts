import { closeSync, fstatSync, openSync } from 'node:fs';
import { type Errno, errnoName, FsError, systemErrno } from '../errno.ts';
import type { Pid } from '../ids.ts';
import type { Kernel } from './kernel.ts';
import { loadKoffi } from './load-koffi.ts';

/** System call numbers; the same on x86-64 and arm64 (asm-generic/unistd.h: all calls since Linux 5.1). */
const SYS_PIDFD_SEND_SIGNAL = 424;
const SYS_PIDFD_OPEN = 434;

/** linux/nsfs.h, NSIO 0xb7. */
const NS_GET_PARENT = 0xb702;
const NS_GET_OWNER_UID = 0xb704;
const NS_GET_ID = 0x8008_b70d;

/** linux/posix-timers_types.h */
const CPUCLOCK_SCHED = 2;

/** Answers of an ioctl the kernel does not know. */
const UNKNOWN_IOCTL: readonly Errno[] = ['ENOTTY', 'EINVAL'];

/** The running kernel. koffi is loaded with the first call that needs it, so commands that need none work without it. */
export function linuxKernel(): Kernel {
  return {
    pidfdOpen: (pid) => checked(libc().syscall(SYS_PIDFD_OPEN, pid, 0, 0, 0), `open a pidfd of process ${pid}`),
    pidfdSendSignal(pidfd, signal) {
      checked(
        libc().syscall(SYS_PIDFD_SEND_SIGNAL, pidfd, signal, 0, 0),
        `send signal ${signal} through pidfd ${pidfd}`,
      );
    },
    processTime(pid) {
      if (libc().clock_gettime(clockOf(pid), time) < 0) return undefined;
      const [secondsLow = 0, secondsHigh = 0, nanoseconds = 0] = time;
      return (secondsHigh * 2 ** 32 + secondsLow) * 1e9 + nanoseconds;
    },
    openNamespace: (pid, link) => opened(`/proc/${pid}/ns/${link}`),
    namespaceInode: (fd) => fstatSync(fd).ino,
    namespaceId(fd) {
      const id = new BigUint64Array(1);
      return unless(UNKNOWN_IOCTL, libc().ioctl(fd, NS_GET_ID, id), 'ask a namespace for its id', () => id[0]);
    },
    namespaceParent(fd) {
      return unless(
        ['EPERM'],
        libc().ioctl(fd, NS_GET_PARENT, null),
        'ask a namespace for its parent',
        (parent) => parent,
      );
    },
    namespaceOwner(fd) {
      const uid = new Uint32Array(1);
      checked(libc().ioctl(fd, NS_GET_OWNER_UID, uid), 'ask a user namespace for its owner');
      return uid[0] ?? 0;
    },
    close: closeSync,
  };
}

/** A call's result and, taken at once after it, errno. */
interface Outcome {
  readonly result: number;
  readonly errno: number;
}

interface Libc {
  /** Asked of thousands of processes in a row: without errno. */
  clock_gettime(clock: number, time: Uint32Array): number;
  syscall(number: number, a: number, b: number, c: number, d: number): Outcome;
  ioctl(fd: number, request: number, argument: BigUint64Array | Uint32Array | null): Outcome;
}

let loaded: Libc | undefined;

function libc(): Libc {
  return (loaded ??= load());
}

function load(): Libc {
  const koffi = loadKoffi();
  // The C library this program is linked with, whichever it is. Both functions are variadic; on the supported machines
  // integer arguments are passed the same way as if they were not.
  const self = koffi.load(null);
  const syscall = self.func('long syscall(long number, long a, long b, long c, long d)');
  const ioctl = self.func('int ioctl(int fd, unsigned long request, void *argument)');
  const withErrno = (result: unknown): Outcome => ({ result: Number(result), errno: koffi.errno() });
  return {
    syscall: (...args) => withErrno(syscall(...args)),
    ioctl: (...args) => withErrno(ioctl(...args)),
    clock_gettime: self.func('int clock_gettime(int clock, void *time)'),
  };
}

/** A struct timespec, in which the answer is given; all supported machines have the low half of a number first. */
const time = new Uint32Array(4);

/** The clock of a process: CPUCLOCK_SCHED of all its threads (linux/posix-timers_types.h). */
function clockOf(pid: Pid): number {
  return (~pid << 3) | CPUCLOCK_SCHED;
}

function checked({ result, errno }: Outcome, action: string): number {
  if (result >= 0) return result;
  const name = errnoName(errno);
  throw new FsError(name, `Cannot ${action}: ${name}`);
}

/** `answer(result)`, or `undefined` if the call failed with one of the `absent` errnos. */
function unless<T>(
  absent: readonly Errno[],
  outcome: Outcome,
  action: string,
  answer: (result: number) => T,
): T | undefined {
  if (outcome.result < 0 && absent.includes(errnoName(outcome.errno))) return undefined;
  return answer(checked(outcome, action));
}

function opened(path: string): number {
  try {
    return openSync(path, 'r');
  } catch (cause) {
    const errno = systemErrno(cause) ?? 'EIO';
    throw new FsError(errno, `Cannot open ${path}: ${errno}`, { cause });
  }
}
