import path from 'node:path';
import { Volume } from 'memfs';
import type { FileAccess } from '../../src/files.ts';

/** What the kernel of a fake machine has. */
export interface FakeCgroupfsOptions {
  readonly mountPoint?: string;
  readonly controllers?: readonly string[];
  readonly without?: readonly ('cgroup.kill' | 'cgroup.freeze')[];
}

/**
 * A memfs volume whose directories below `mountPoint` behave as cgroup v2's: processes are in one each, `cgroup.kill`,
 * `cgroup.freeze` and `cgroup.procs` act, a directory with processes or children is EBUSY. The rest of the volume, /proc for
 * one, is plain.
 */
export class FakeCgroupfs {
  readonly volume = new Volume();
  readonly mountPoint: string;
  /** Pid to the cgroup directory it is in. */
  readonly processes = new Map<number, string>();
  /** Neither a kill nor a freeze has an effect on these. */
  readonly stubborn = new Set<number>();
  /** Every write below the mount point: `[path, data]`. */
  readonly writes: (readonly [path: string, data: string])[] = [];
  /** Writes to these paths fail with the given code. */
  readonly refusals = new Map<string, string>();
  readonly files: FileAccess;

  readonly #knobs: readonly string[];
  readonly #askedToFreeze = new Set<string>();

  constructor({ mountPoint = '/sys/fs/cgroup', controllers = [], without = [] }: FakeCgroupfsOptions = {}) {
    this.mountPoint = mountPoint;
    this.volume.mkdirSync(mountPoint, { recursive: true });
    this.volume.writeFileSync(`${mountPoint}/cgroup.controllers`, `${controllers.join(' ')}\n`);
    this.volume.writeFileSync(`${mountPoint}/cgroup.subtree_control`, '');
    const all = ['cgroup.procs', 'cgroup.threads', 'cgroup.events', 'cgroup.subtree_control'] as const;
    this.#knobs = [...all, ...(['cgroup.kill', 'cgroup.freeze'] as const).filter((knob) => !without.includes(knob))];
    const plain = this.volume as unknown as FileAccess;
    this.files = {
      readFileSync: (file, encoding) => this.#read(file) ?? plain.readFileSync(file, encoding),
      writeFileSync: (file, data) => {
        if (file.startsWith(mountPoint)) this.#write(file, data);
        else plain.writeFileSync(file, data);
      },
      mkdirSync: (directory) => {
        plain.mkdirSync(directory);
        if (directory.startsWith(mountPoint)) this.#populate(directory);
      },
      rmdirSync: (directory) => {
        if (directory.startsWith(mountPoint)) this.#rmdir(directory);
        else plain.rmdirSync(directory);
      },
      readdirSync: this.volume.readdirSync.bind(this.volume) as FileAccess['readdirSync'],
      readlinkSync: (file) => plain.readlinkSync(file),
      statSync: (file) => plain.statSync(file),
      existsSync: (file) => plain.existsSync(file),
      promises: plain.promises,
    };
  }

  /** Makes a cgroup with all above it, and puts processes in. */
  cgroup(directory: string, ...pids: readonly number[]): string {
    if (!this.files.existsSync(path.dirname(directory))) this.cgroup(path.dirname(directory));
    if (!this.files.existsSync(directory)) this.files.mkdirSync(directory);
    for (const pid of pids) this.processes.set(pid, directory);
    return directory;
  }

  #populate(directory: string): void {
    for (const knob of this.#knobs) this.volume.writeFileSync(`${directory}/${knob}`, '');
  }

  #rmdir(directory: string): void {
    const names = this.files.readdirSync(directory, { withFileTypes: true });
    const busy = this.#in(directory).length > 0 || names.some((entry) => entry.isDirectory());
    if (busy) throw failure('EBUSY', `rmdir ${directory}`);
    this.volume.rmSync(directory, { recursive: true });
  }

  /** Text of the files the kernel makes up; those of a cgroup that is gone are missing as any other. */
  #read(file: string): string | undefined {
    const directory = path.dirname(file);
    if (!file.startsWith(this.mountPoint) || !this.volume.existsSync(file)) return undefined;
    switch (path.basename(file)) {
      case 'cgroup.procs':
      case 'cgroup.threads':
        return [...this.processes]
          .filter(([, where]) => where === directory)
          .map(([pid]) => `${pid}\n`)
          .join('');
      case 'cgroup.events':
        return `populated ${Number(this.#in(directory).length > 0)}\nfrozen ${Number(this.#isFrozen(directory))}\n`;
      case 'cgroup.freeze':
        return `${Number(this.#askedToFreeze.has(directory))}\n`;
      default:
        return undefined;
    }
  }

  #write(file: string, data: string): void {
    this.writes.push([file, data]);
    const refusal = this.refusals.get(file);
    if (refusal !== undefined) throw failure(refusal, `write ${file}`);
    if (!this.volume.existsSync(file)) throw failure('EACCES', `open ${file}`);
    const directory = path.dirname(file);
    switch (path.basename(file)) {
      case 'cgroup.kill':
        for (const pid of this.#in(directory)) if (!this.stubborn.has(pid)) this.processes.delete(pid);
        break;
      case 'cgroup.freeze':
        if (data === '1') this.#askedToFreeze.add(directory);
        else this.#askedToFreeze.delete(directory);
        break;
      case 'cgroup.procs':
        if (!this.processes.has(Number(data))) throw failure('ESRCH', `write ${file}`);
        this.processes.set(Number(data), directory);
        break;
      default:
        this.volume.writeFileSync(file, `${data}\n`);
    }
  }

  #in(directory: string): number[] {
    return [...this.processes]
      .filter(([, where]) => where === directory || where.startsWith(`${directory}/`))
      .map(([pid]) => pid);
  }

  #isFrozen(directory: string): boolean {
    const asked = [...this.#askedToFreeze].some((above) => directory === above || directory.startsWith(`${above}/`));
    return asked && !this.#in(directory).some((pid) => this.stubborn.has(pid));
  }
}

function failure(code: string, what: string): Error {
  return Object.assign(new Error(`${code}: ${what}`), { code });
}
