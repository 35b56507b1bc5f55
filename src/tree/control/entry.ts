import type { Container } from '../../container/container.ts';
import type { Machine } from '../../container/machine.ts';
import type { Request } from '../filesystem.ts';

/**
 * A name in a container's directory that is not a container. One more control entry is one more file here, one more row
 * of `CONTROL_ENTRIES` (table.ts), and one test. `entry` is part of the inode number and a bit of `Container.hidden`:
 * once given it never means another name.
 */
export interface ControlEntry {
  /** 2 to 30; 1 is the directory itself. */
  readonly entry: number;
  readonly name: string;
  /** Type and permission bits; owner and group are the container's. */
  mode(container: Container): number;
  /** Whether it has something to say, and so resolves. */
  present(container: Container): boolean;
  /** Whether a listing shows it while it is present. Default: yes. */
  listed?(container: Container): boolean;
  /** Who looks decides what it is: the kernel may not keep the name at all. */
  readonly fleeting?: true;
  /** A file's text where the registry alone tells it: answered by the serving thread. */
  text?(container: Container): string;
  /** A file's text where it takes looking at the machine. Throws `FsError`. */
  produce?(machine: Machine, container: Container, request: Request): Text | Promise<Text>;
  /** A symlink's target where it is the same for every reader. */
  target?(container: Container, places: Places): string | undefined;
  /** A symlink's target as this reader sees it; `undefined`: not to be seen from there. */
  resolve?(machine: Machine, container: Container, request: Request): string | undefined;
  /** For a symlink below /proc/PID of the init: what follows `/proc/PID`. */
  readonly below?: string;
  /** A stream of events, which `EventStreams` reads and polls. */
  readonly stream?: true;
  /** Does what one write(2) of `text`, trimmed, asks for. Throws `FsError`; absent: EINVAL. */
  write?(machine: Machine, container: Container, request: Request, text: string): void | Promise<void>;
  /** A report: unlinking it removes what it reports, and it does not keep a directory from being empty. */
  readonly report?: 'error' | 'exit';
}

export interface Text {
  readonly text: string;
  readonly nlink?: number;
}

/** Absolute paths a symlink may need. */
export interface Places {
  readonly cgroupOf: (container: Container) => string;
}
