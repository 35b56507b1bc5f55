import * as fs from 'node:fs';
import path from 'node:path';
import type { Hierarchy } from '../cgroup/hierarchy.ts';
import { FsError, type Errno } from '../errno.ts';
import type { FileAccess } from '../files.ts';
import { pid as checkedPid, type Pid } from '../ids.ts';
import type { Kernel } from '../kernel/kernel.ts';
import { allPids } from '../proc/census.ts';
import { pin, signalPinned, type PinnedProcess } from '../proc/pinned.ts';
import { isAlive, namespaceInode } from '../proc/process.ts';

const SIGKILL = 9;

/** Levels of pid namespaces, the kernel's own limit (pid_namespaces(7)). */
const LEVELS_LIMIT = 32;

/** What directories have that stand for cgroups. */
const LISTS: ReadonlySet<string> = new Set(['cgroup.procs', 'cgroup.threads']);
const EVENTS = 'cgroup.events';
const KILL = 'cgroup.kill';

/** A process, and the directory that stands for the cgroup it would be in. */
export interface Placed extends PinnedProcess {
  readonly directory: string;
}

/** What is known of who is where. */
export interface Placing {
  /** The inits of running containers, each with the leaf of its container. */
  inits(): Iterable<Placed>;
  /** Processes that entered from outside, likewise. */
  entered(): Iterable<Placed>;
}

/**
 * Cgroups for a user who may make none. Plain directories stand for them; who is in one is told by pid namespaces: a process
 * is in the container whose init's namespace it is in, or in one below that. A container is killed by killing its init,
 * with which the kernel kills all that is in the namespace. There is nothing to freeze by. All other files are the
 * machine's.
 */
export class NamespaceGroups implements FileAccess {
  readonly hierarchy: Hierarchy;
  readonly mkdirSync: FileAccess['mkdirSync'];
  readonly readdirSync: FileAccess['readdirSync'];
  readonly readlinkSync: FileAccess['readlinkSync'];
  readonly statSync: FileAccess['statSync'];
  readonly promises: FileAccess['promises'];
  readonly #base: string;
  readonly #kernel: Kernel;
  readonly #files: FileAccess;
  readonly #joined = new Map<Pid, Placed>();
  #placing: Placing = { inits: () => [], entered: () => [] };

  /** `base`: a directory of ours, which is there and may hold what a former daemon made. */
  constructor(base: string, kernel: Kernel, files: FileAccess = fs) {
    this.#base = base;
    this.#kernel = kernel;
    this.#files = files;
    this.mkdirSync = files.mkdirSync.bind(files);
    this.readdirSync = files.readdirSync.bind(files);
    this.readlinkSync = files.readlinkSync.bind(files);
    this.statSync = files.statSync.bind(files);
    this.promises = files.promises;
    this.hierarchy = { mountPoint: base, root: '/', layout: 'none', controllers: [], canKill: true, canFreeze: false };
  }

  placedBy(placing: Placing): void {
    this.#placing = placing;
    for (const placed of placing.entered()) this.#joined.set(placed.pid, placed);
  }

  readFileSync(file: string, encoding: Parameters<FileAccess['readFileSync']>[1]): string {
    const [, process] = /^\/proc\/(\d+)\/cgroup$/.exec(file) ?? [];
    if (process !== undefined) return this.#cgroupText(checkedPid(Number(process)), file);
    const name = path.basename(file);
    if (!this.#isOurs(file) || !(LISTS.has(name) || name === EVENTS)) return this.#files.readFileSync(file, encoding);
    const directory = this.#existing(path.dirname(file));
    if (name === EVENTS) return `populated ${this.#isPopulated(directory) ? 1 : 0}\nfrozen 0\n`;
    return this.#processes(directory)
      .map((pid) => `${pid}\n`)
      .join('');
  }

  writeFileSync(file: string, data: string): void {
    if (!this.#isOurs(file)) {
      this.#files.writeFileSync(file, data);
      return;
    }
    const directory = this.#existing(path.dirname(file));
    const name = path.basename(file);
    if (name === KILL) this.#kill(directory);
    else if (name === 'cgroup.procs') this.#join(checkedPid(Number(data)), directory);
    else throw failure('ENOENT', file);
  }

  rmdirSync(directory: string): void {
    if (this.#isOurs(directory) && this.#isPopulated(directory)) throw failure('EBUSY', directory);
    this.#files.rmdirSync(directory);
  }

  existsSync(file: string): boolean {
    if (this.#isOurs(file) && path.basename(file) === KILL) return this.#files.existsSync(path.dirname(file));
    return this.#files.existsSync(file);
  }

  #isOurs(file: string): boolean {
    return file.startsWith(`${this.#base}/`);
  }

  #existing(directory: string): string {
    if (this.#files.existsSync(directory)) return directory;
    throw failure('ENOENT', directory);
  }

  /** As /proc/PID/cgroup has it, of the one hierarchy there is. */
  #cgroupText(pid: Pid, file: string): string {
    this.#files.readFileSync(file, 'latin1'); // ENOENT or ESRCH if it is gone
    const directory = this.#placeOf(pid, this.#inodes());
    return `0::/${directory === undefined ? '' : path.relative(this.#base, directory)}\n`;
  }

  /** Pid namespaces of containers, and our own, which is no container's, by inode number. */
  #inodes(): Map<number, string | undefined> {
    const inodes = new Map<number, string | undefined>();
    for (const { pid, startTime, directory } of this.#placing.inits()) {
      const inode = namespaceInode(this.#files, pid, 'pid');
      if (inode !== undefined && isAlive(this.#files, pid, startTime)) inodes.set(inode, directory);
    }
    const own = inodes.size > 0 ? namespaceInode(this.#files, 'self', 'pid') : undefined;
    if (own !== undefined && !inodes.has(own)) inodes.set(own, undefined);
    return inodes;
  }

  #placeOf(pid: Pid, inodes: ReadonlyMap<number, string | undefined>): string | undefined {
    const joined = this.#joined.get(pid);
    if (joined && isAlive(this.#files, pid, joined.startTime)) return joined.directory;
    const own = namespaceInode(this.#files, pid, 'pid');
    if (inodes.size === 0 || own === undefined) return undefined;
    return inodes.has(own) ? inodes.get(own) : this.#placeAbove(pid, inodes);
  }

  /** That of the nearest pid namespace around its own. */
  #placeAbove(pid: Pid, inodes: ReadonlyMap<number, string | undefined>): string | undefined {
    let fd: number | undefined;
    try {
      fd = this.#kernel.openNamespace(pid, 'pid');
      for (let level = 0; fd !== undefined && level < LEVELS_LIMIT; level++) {
        const inode = this.#kernel.namespaceInode(fd);
        if (inodes.has(inode)) return inodes.get(inode);
        const parent = this.#kernel.namespaceParent(fd);
        this.#kernel.close(fd);
        fd = parent;
      }
      return undefined;
    } catch (error) {
      if (error instanceof FsError) return undefined;
      throw error;
    } finally {
      if (fd !== undefined) this.#kernel.close(fd);
    }
  }

  /** Of this directory, not of those below. */
  #processes(directory: string): Pid[] {
    const inodes = this.#inodes();
    if (inodes.size === 0 && this.#joined.size === 0) return [];
    return allPids(this.#files).filter(
      (pid) => this.#placeOf(pid, inodes) === directory && pin(this.#files, pid) !== undefined,
    );
  }

  #isPopulated(directory: string): boolean {
    return this.#below(directory).some(({ pid, startTime }) => isAlive(this.#files, pid, startTime));
  }

  /** Inits and those that entered, here or below: as long as one of a pid namespace lives, its init does. */
  #below(directory: string): Placed[] {
    return [...this.#placing.inits(), ...this.#joined.values()].filter(
      (placed) => placed.directory === directory || placed.directory.startsWith(`${directory}/`),
    );
  }

  #kill(directory: string): void {
    for (const placed of this.#below(directory))
      signalPinned({ files: this.#files, kernel: this.#kernel }, placed, SIGKILL);
  }

  /** A process that enters, or goes back to where it was. */
  #join(pid: Pid, directory: string): void {
    const found = pin(this.#files, pid);
    if (!found) throw failure('ESRCH', `/proc/${pid}`);
    for (const [known, { startTime }] of this.#joined)
      if (!isAlive(this.#files, known, startTime)) this.#joined.delete(known);
    if (directory === this.#base) this.#joined.delete(pid);
    else this.#joined.set(pid, { ...found, directory });
  }
}

function failure(code: Errno, what: string): Error {
  return Object.assign(new Error(`${code}: ${what}`), { code });
}
