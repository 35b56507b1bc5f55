import { type Errno, FsError } from '../../src/errno.ts';
import type { Pid } from '../../src/ids.ts';
import type { Kernel } from '../../src/kernel/kernel.ts';

/** One call as the code under test made it. */
export type KernelCall = readonly [method: keyof Kernel, ...args: readonly unknown[]];

/** A namespace of a fake machine. */
export interface FakeNamespace {
  readonly inode: number;
  readonly id?: bigint;
  readonly parent?: FakeNamespace;
  readonly owner?: number;
}

const FIRST_FD = 1000;

/**
 * A kernel made of tables: `processes` live, `namespaces` are what `/proc/PID/ns/LINK` opens. It records every call and knows
 * every descriptor it gave, so a test can say that none leaks.
 */
export class FakeKernel implements Kernel {
  readonly calls: KernelCall[] = [];
  readonly processes = new Set<number>();
  /** Keyed `PID/LINK`. */
  readonly namespaces = new Map<string, FakeNamespace>();
  /** What a signal does, beyond being recorded. */
  onSignal: (pid: number, signal: number) => void = () => undefined;

  readonly #open = new Map<number, { pid: number } | FakeNamespace>();
  #nextFd = FIRST_FD;

  /** Descriptors that were given and not closed. */
  get openFds(): number[] {
    return [...this.#open.keys()];
  }

  pidfdOpen(pid: Pid): number {
    this.calls.push(['pidfdOpen', pid]);
    if (!this.processes.has(pid)) throw refused('ESRCH', `pidfd_open ${pid}`);
    return this.#give({ pid });
  }

  pidfdSendSignal(pidfd: number, signal: number): void {
    this.calls.push(['pidfdSendSignal', pidfd, signal]);
    const held = this.#held(pidfd);
    if (!('pid' in held)) throw refused('EBADF', `fd ${pidfd} is no pidfd`);
    if (!this.processes.has(held.pid)) throw refused('ESRCH', `process ${held.pid}`);
    this.onSignal(held.pid, signal);
  }

  processTime(pid: Pid): number | undefined {
    this.calls.push(['processTime', pid]);
    return undefined;
  }

  openNamespace(pid: Pid, link: string): number {
    this.calls.push(['openNamespace', pid, link]);
    const namespace = this.namespaces.get(`${pid}/${link}`);
    if (namespace === undefined) throw refused('ENOENT', `/proc/${pid}/ns/${link}`);
    return this.#give(namespace);
  }

  namespaceInode(fd: number): number {
    this.calls.push(['namespaceInode', fd]);
    return this.#namespace(fd).inode;
  }

  namespaceId(fd: number): bigint | undefined {
    this.calls.push(['namespaceId', fd]);
    return this.#namespace(fd).id;
  }

  namespaceParent(fd: number): number | undefined {
    this.calls.push(['namespaceParent', fd]);
    const { parent } = this.#namespace(fd);
    return parent === undefined ? undefined : this.#give(parent);
  }

  namespaceOwner(fd: number): number {
    this.calls.push(['namespaceOwner', fd]);
    return this.#namespace(fd).owner ?? 0;
  }

  close(fd: number): void {
    this.calls.push(['close', fd]);
    if (!this.#open.delete(fd)) throw refused('EBADF', `close ${fd}`);
  }

  #give(meaning: { pid: number } | FakeNamespace): number {
    const fd = this.#nextFd++;
    this.#open.set(fd, meaning);
    return fd;
  }

  #held(fd: number): { pid: number } | FakeNamespace {
    const held = this.#open.get(fd);
    if (held === undefined) throw refused('EBADF', `fd ${fd}`);
    return held;
  }

  #namespace(fd: number): FakeNamespace {
    const held = this.#held(fd);
    if ('pid' in held) throw refused('ENOTTY', `fd ${fd} is a pidfd`);
    return held;
  }
}

function refused(errno: Errno, what: string): FsError {
  return new FsError(errno, `${what}: ${errno}`);
}
