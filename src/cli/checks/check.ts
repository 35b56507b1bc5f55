import type { Instance } from '../../instance.ts';
import type { FileAccess } from '../../files.ts';
import type { Mount } from '../../mountinfo.ts';

/** One thing the machine must or should have, with what was found there. */
export interface Finding {
  readonly name: string;
  /** Whether the tree cannot be mounted without it. */
  readonly required: boolean;
  readonly found: string;
  readonly ok: boolean;
  /** What is wrong, and the command or step that mends it; only if not `ok`. */
  readonly problem?: string;
  readonly remedy?: string;
}

export type Outcome = Omit<Finding, 'name' | 'required'>;

export interface Check {
  readonly name: string;
  readonly required: boolean;
  /** Never throws: whatever goes wrong is an outcome. */
  readonly probe: (machine: Machine, instance: Instance) => Outcome | Promise<Outcome>;
}

/** What the checks see of the machine. Everything here may be a fake. */
export interface Machine {
  readonly files: FileAccess;
  readonly nodeVersion: string;
  /** Opens a device for reading and writing, and closes it: an errno name if that is refused. */
  readonly openDevice: (path: string) => Promise<string | undefined>;
  /** Exit status of the helper without arguments, or why it cannot run. */
  readonly runInit: () => Promise<{ readonly status: number | undefined; readonly stderr: string }>;
  readonly initPath: string;
  /** The CRIU that is used, and what it says it lacks; throws where there is none. */
  readonly criu: () => Promise<{
    readonly program: string;
    readonly version: string;
    readonly lacks: string | undefined;
  }>;
  /** Path of the program that runs OCI bundles; throws where there is none. */
  readonly runtime: () => string;
  /** Tries to mount something by /dev/fuse in namespaces of its own. */
  readonly tryPrivateMachine: () => Promise<{ readonly status: number | undefined; readonly stderr: string }>;
  readonly mountsAt: (directory: string) => Promise<Mount[]>;
  /** The mount that a path is in, going by the kernel's table alone. */
  readonly mountOf: (file: string) => Promise<Mount | undefined>;
  /** What is wrong with a mounted file system, `undefined` if it answers. A mount is asked once. */
  readonly ailmentOf: (mount: Mount) => Promise<string | undefined>;
}

export function good(found: string): Outcome {
  return { found, ok: true };
}

export function bad(found: string, problem: string, remedy: string): Outcome {
  return { found, ok: false, problem, remedy };
}

/** The findings in the order of the table. */
export function runChecks(checks: readonly Check[], machine: Machine, instance: Instance): Promise<Finding[]> {
  return Promise.all(
    checks.map(async ({ name, required, probe }) => ({ name, required, ...(await probe(machine, instance)) })),
  );
}
