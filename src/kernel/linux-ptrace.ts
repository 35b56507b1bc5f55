import { closeSync, openSync, readFileSync, readSync } from 'node:fs';
import { errnoName, FsError, systemErrno } from '../errno.ts';
import type { Pid } from '../ids.ts';
import { loadKoffi } from './load-koffi.ts';
import type { Ptrace } from './ptrace.ts';

/** linux/ptrace.h */
const PTRACE_CONT = 7;
const PTRACE_DETACH = 17;
const PTRACE_SYSCALL = 24;
const PTRACE_GETREGSET = 0x4204;
const PTRACE_SETREGSET = 0x4205;
const PTRACE_SEIZE = 0x4206;
const PTRACE_INTERRUPT = 0x4207;
const PTRACE_GETSIGMASK = 0x420a;
const PTRACE_SETSIGMASK = 0x420b;
const PTRACE_O_TRACESYSGOOD = 1;

/** asm/unistd_64.h and asm-generic/unistd.h: the number of ptrace(2) differs. */
const SYS_PTRACE: Readonly<Partial<Record<string, number>>> = { x64: 101, arm64: 117 };

/** waitpid(2): WNOHANG, and threads of all kinds. */
const WNOHANG_ALL = 0x4000_0001;

/** Bytes of a signal set, as the kernel has it. */
const MASK_BYTES = 8;

/** linux/auxvec.h; pairs of 64-bit words. */
const AT_SYSINFO_EHDR = 33n;
const WORD_BYTES = 8;

interface Iovec {
  base: Uint8Array;
  len: number;
}

interface Calls {
  /** ptrace(2) with a number, a buffer or an iovec as data; the result, or the negative errno. */
  plain(request: number, pid: number, address: number, data: number): number;
  bytes(request: number, pid: number, address: number, data: Uint8Array): number;
  iovec(request: number, pid: number, address: number, data: Iovec): number;
  waitpid(pid: number, status: [number], options: number): number;
}

/** The running kernel's. ENOSYS where this program does not know the machine, or koffi cannot be loaded. */
export function linuxPtrace(): Ptrace {
  let loaded: Calls | undefined;
  const calls = () => (loaded ??= load());
  const status: [number] = [0];
  const mask = Buffer.alloc(MASK_BYTES);
  const plain = (what: string, request: number, pid: Pid, data = 0) =>
    checked(calls().plain(request, pid, 0, data), `${what} process ${pid}`);
  return {
    seize: (pid) => void plain('seize', PTRACE_SEIZE, pid, PTRACE_O_TRACESYSGOOD),
    interrupt: (pid) => void plain('interrupt', PTRACE_INTERRUPT, pid),
    resume: (pid, until, signal) => void plain('resume', until === 'call' ? PTRACE_SYSCALL : PTRACE_CONT, pid, signal),
    detach: (pid) => void plain('detach from', PTRACE_DETACH, pid),
    poll: (pid) =>
      checked(calls().waitpid(pid, status, WNOHANG_ALL), `wait for ${pid}`) === 0 ? undefined : status[0],
    registers(pid, note, size) {
      const base = Buffer.alloc(size);
      const set = { base, len: size };
      checked(calls().iovec(PTRACE_GETREGSET, pid, note, set), `read registers of process ${pid}`);
      return base.subarray(0, set.len);
    },
    setRegisters(pid, note, bytes) {
      const set = { base: bytes, len: bytes.length };
      checked(calls().iovec(PTRACE_SETREGSET, pid, note, set), `set registers of process ${pid}`);
    },
    signalMask(pid) {
      checked(calls().bytes(PTRACE_GETSIGMASK, pid, MASK_BYTES, mask), `read the signal mask of process ${pid}`);
      return mask.readBigUInt64LE();
    },
    setSignalMask(pid, bits) {
      mask.writeBigUInt64LE(bits);
      checked(calls().bytes(PTRACE_SETSIGMASK, pid, MASK_BYTES, mask), `set the signal mask of process ${pid}`);
    },
    memory,
    vdso,
  };
}

function load(): Calls {
  const number = SYS_PTRACE[process.arch];
  if (number === undefined) throw new FsError('ENOSYS', `Cannot trace processes: nsdir does not know ${process.arch}`);
  const koffi = loadKoffi();
  const self = koffi.load(null);
  const iovec = koffi.struct({ base: 'void *', len: 'size_t' });
  const types = { plain: 'long', bytes: 'void *', iovec: koffi.inout(koffi.pointer(iovec)) };
  // The raw call: the C library's own has results of its own for some requests. Variadic, see linux.ts.
  const raw = (data: keyof typeof types) => {
    const call = self.func('syscall', 'long', ['long', 'long', 'long', 'long', types[data]]);
    return (request: number, pid: number, address: number, value: unknown) => {
      const result = call(number, request, pid, address, value) as number;
      return result < 0 ? -koffi.errno() : result;
    };
  };
  const waitpid = self.func('int waitpid(int pid, _Out_ int *status, int options)');
  return {
    plain: raw('plain'),
    bytes: raw('bytes'),
    iovec: raw('iovec'),
    waitpid(pid, status, options) {
      const result = waitpid(pid, status, options) as number;
      return result < 0 ? -koffi.errno() : result;
    },
  };
}

function checked(result: number, action: string): number {
  if (result >= 0) return result;
  const name = errnoName(-result);
  throw new FsError(name, `Cannot ${action}: ${name}`);
}

function memory(pid: Pid, address: bigint, size: number): Buffer {
  const bytes = Buffer.alloc(size);
  try {
    const fd = openSync(`/proc/${pid}/mem`, 'r');
    try {
      return bytes.subarray(0, readSync(fd, bytes, 0, size, address));
    } finally {
      closeSync(fd);
    }
  } catch (cause) {
    const errno = systemErrno(cause);
    if (errno === 'EIO' || errno === 'EFAULT') return bytes.subarray(0, 0);
    throw new FsError(errno ?? 'ESRCH', `Cannot read memory of process ${pid}: ${errno ?? 'gone'}`, { cause });
  }
}

function vdso(pid: Pid): bigint | undefined {
  const vector = readFileSync(`/proc/${pid}/auxv`);
  for (let at = 0; at + 2 * WORD_BYTES <= vector.length; at += 2 * WORD_BYTES) {
    if (vector.readBigUInt64LE(at) === AT_SYSINFO_EHDR) return vector.readBigUInt64LE(at + WORD_BYTES);
  }
  return undefined;
}
