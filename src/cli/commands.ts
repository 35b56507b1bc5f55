import { type Command, OWN_FAILURE } from './command.ts';

/** One command: loaded only when it is called, so that none pays for the others. */
export interface CommandRow {
  readonly name: string;
  /** What `nsdir --help` says of it; absent: it is for nsdir itself and not shown. */
  readonly summary?: string;
  /** Exit status of a failure that the command did not foresee; 1 if absent. */
  readonly failure?: number;
  load(): Promise<Command>;
}

export const COMMANDS: readonly CommandRow[] = [
  {
    name: 'mount',
    summary: 'mount the tree of containers',
    load: async () => (await import('./commands/mount.ts')).mount,
  },
  {
    name: 'umount',
    summary: 'take the tree away; containers live on',
    load: async () => (await import('./commands/umount.ts')).umount,
  },
  {
    name: 'tree',
    summary: 'show containers, what they do and cost',
    load: async () => (await import('./commands/tree.ts')).tree,
  },
  {
    name: 'run',
    summary: 'run a command in a container, made and started if need be',
    failure: OWN_FAILURE,
    load: async () => (await import('./commands/run.ts')).run,
  },
  {
    name: 'enter',
    summary: 'enter a container: a shell or a command in it',
    failure: OWN_FAILURE,
    load: async () => (await import('./commands/enter.ts')).enter,
  },
  {
    name: 'shell',
    summary: 'a shell in a private machine, in which an ordinary user is root',
    load: async () => (await import('./commands/shell.ts')).shell,
  },
  {
    name: 'logs',
    summary: 'show what detached commands of a container wrote',
    load: async () => (await import('./commands/logs.ts')).logs,
  },
  {
    name: 'checkpoint',
    summary: 'save a container with its processes in a file',
    load: async () => (await import('./commands/checkpoint.ts')).checkpoint,
  },
  {
    name: 'restore',
    summary: 'make a container run on from such a file',
    load: async () => (await import('./commands/restore.ts')).restore,
  },
  {
    name: 'which',
    summary: 'say which container a process is in',
    load: async () => (await import('./commands/which.ts')).which,
  },
  {
    name: 'doctor',
    summary: 'say what this machine has, lacks, and how to mend it',
    load: async () => (await import('./commands/doctor.ts')).doctor,
  },
  {
    name: 'completion',
    summary: 'print what makes bash complete command lines of nsdir',
    load: async () => (await import('./commands/completion.ts')).completion,
  },
  { name: 'daemon', load: async () => (await import('./commands/daemon.ts')).daemon },
];

export function findCommand(name: string): CommandRow | undefined {
  return COMMANDS.find((row) => row.name === name);
}
