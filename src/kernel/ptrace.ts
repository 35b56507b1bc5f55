import type { Pid } from '../ids.ts';

/**
 * The port to ptrace(2), used by one thread: a tracee obeys the thread that seized it. `linux-ptrace.ts` is the real one.
 * Every method throws `FsError` with the system call's errno; ESRCH also for a tracee that is not stopped.
 */
export interface Ptrace {
  /** PTRACE_SEIZE with PTRACE_O_TRACESYSGOOD: the target runs on, and goes on running if the tracer dies. EPERM if it is traced. */
  seize(pid: Pid): void;
  /** PTRACE_INTERRUPT: it stops when it next would return to user mode, from an interruptible sleep at once. */
  interrupt(pid: Pid): void;
  /** Lets a stopped tracee run: on, or to its next entry to or exit from a system call. `signal` 0 delivers none. */
  resume(pid: Pid, until: 'stop' | 'call', signal: number): void;
  /** PTRACE_DETACH: it goes on as if it had never been traced; a stop by job control holds. */
  detach(pid: Pid): void;
  /** waitpid(2) with WNOHANG and __WALL: the status word of a tracee that changed its state, `undefined` if it did not. ECHILD. */
  poll(pid: Pid): number | undefined;
  /** PTRACE_GETREGSET. `note` is the set's number (linux/elf.h). Fewer bytes than asked for if the set is smaller. */
  registers(pid: Pid, note: number, size: number): Buffer;
  /** PTRACE_SETREGSET. */
  setRegisters(pid: Pid, note: number, bytes: Uint8Array): void;
  /** PTRACE_GETSIGMASK: signal n is bit n - 1. Of a tracee in sigsuspend(2) and its like, the mask that it comes back to. */
  signalMask(pid: Pid): bigint;
  /** PTRACE_SETSIGMASK. SIGKILL and SIGSTOP are never blocked. */
  setSignalMask(pid: Pid, mask: bigint): void;
  /** Bytes of its memory (proc_pid_mem(5)); fewer at the end of a mapping, none where nothing is mapped. */
  memory(pid: Pid, address: bigint, size: number): Buffer;
  /** Address of its vDSO (getauxval(3), AT_SYSINFO_EHDR); `undefined` if it has none. */
  vdso(pid: Pid): bigint | undefined;
}
