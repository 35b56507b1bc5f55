import type { Container } from '../../src/container/container.ts';
import { enter } from '../../src/container/enter.ts';
import type { EnteredBy } from '../../src/container/entered.ts';
import { start } from '../../src/container/start.ts';
import { FsError } from '../../src/errno.ts';
import type { Pid } from '../../src/ids.ts';
import type { FileAccess } from '../../src/files.ts';
import type { Fact } from '../../src/kernel/tracer-link.ts';
import { FakeMachine, OWN_NAMESPACES } from './fake-machine.ts';
import { setNamespace } from './proc-tree.ts';

export const OUTSIDE = '/sys/fs/cgroup/user';
export const ALL = 0x1ff_ffff_ffffn;
export const SETNS = 308n;
export const PIDFD_OPEN = 434n;
/** CLONE_NEWNS | NEWCGROUP | NEWUTS | NEWIPC | NEWPID (linux/sched.h). */
export const DEFAULT_MASK = 0x0002_0000n | 0x0200_0000n | 0x0400_0000n | 0x0800_0000n | 0x2000_0000n;

/** A container that runs, one in it, who asks and who is to enter. */
export class EnteringWorld extends FakeMachine {
  readonly web = this.container('web');
  readonly job = this.container('web/job');
  readonly target: Pid;
  readonly asker: Pid;

  constructor() {
    super();
    this.cgroupfs.cgroup(OUTSIDE);
    const root = { capPermitted: ALL, capEffective: ALL };
    this.target = this.spawn(OUTSIDE, root);
    this.asker = this.spawn(OUTSIDE, root);
    for (const pid of [this.target, this.asker, process.pid]) this.kernel.namespaces.set(`${pid}/user`, { inode: 6 });
    for (const link of ['pid', 'user'] as const) this.become('self', link, OWN_NAMESPACES[link]);
    this.tracer.onTraced = (pid, tracer) => {
      const status = this.files.readFileSync(`/proc/${pid}/status`, 'utf8');
      this.files.writeFileSync(`/proc/${pid}/status`, status.replace(/TracerPid:.*/, `TracerPid:\t${tracer}`));
    };
    this.tracer.isSo = (fact) => isSo(this.files, fact);
    this.tracer.onJoin = (file, pid) => {
      this.files.writeFileSync(file, String(pid));
    };
    this.tracer.answer = (number) => {
      if (number === PIDFD_OPEN) return 9n;
      if (number === SETNS) this.settle(this.target);
      return 0n;
    };
  }

  /** Starts it, with namespaces of its own. */
  async started(container: Container, first = 100): Promise<void> {
    await start(this, container, this.request());
    const { pid } = container.init!;
    for (const [index, kind] of ['mnt', 'uts', 'ipc', 'pid_for_children', 'cgroup'].entries())
      this.become(pid, kind, first + index);
  }

  become(pid: number | 'self', link: string, inode: number): void {
    setNamespace(this.cgroupfs.volume, pid, link, inode);
  }

  /** The target gets web's namespaces. */
  settle(pid: number): void {
    for (const link of ['mnt', 'uts', 'ipc', 'pid_for_children', 'cgroup']) {
      const text = this.files.readlinkSync(`/proc/${this.web.init!.pid}/ns/${link}`);
      this.become(pid, link, Number(/\d+/.exec(text)![0]));
    }
  }

  /** What the target was made to do: numbers and first arguments. */
  get made(): readonly (readonly bigint[])[] {
    return this.tracer.made;
  }

  cgroupOfTarget(): string | undefined {
    return this.cgroupfs.processes.get(this.target);
  }

  async asked(container: Container, by: EnteredBy = 'symlink', pid = this.asker): Promise<string> {
    try {
      await enter(this, { container, by }, this.target, this.request({ pid }));
      return 'entered';
    } catch (error) {
      if (error instanceof FsError) return error.errno;
      throw error;
    }
  }
}

/** As src/init/facts.c has it. */
function isSo(files: FileAccess, { how, path, text }: Fact): boolean {
  try {
    switch (how) {
      case 'whole':
        return files.readFileSync(path, 'latin1') === text;
      case 'lines':
        return text
          .trim()
          .split('\n')
          .every((line) => `\n${files.readFileSync(path, 'latin1')}`.includes(`\n${line}\n`));
      case 'end':
        return text !== '' && files.readlinkSync(path).endsWith(text);
      case 'start': {
        const fields = files.readFileSync(path, 'latin1').split(') ').at(-1)?.split(' ') ?? [];
        return fields[19] === text && fields[0] !== 'Z';
      }
    }
  } catch {
    return how === 'end' && text === '';
  }
}

export async function world(): Promise<EnteringWorld> {
  const made = new EnteringWorld();
  await made.started(made.web);
  return made;
}
