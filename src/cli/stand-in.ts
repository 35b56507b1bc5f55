import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { exitStatus } from '../../mount/device/child.ts';
import { Failure } from './command.ts';
import { forwardingTo } from './forward-signals.ts';

interface Setting {
  /** From 3 on. */
  readonly descriptors?: readonly number[];
  /** Default: ours. */
  readonly environment?: NodeJS.ProcessEnv;
}

/** Runs a program with our stdio, passes on to it what signals we get, and resolves to its exit status, 128+n for a signal. */
export async function standIn(
  program: string,
  argv: readonly string[],
  { descriptors = [], environment = process.env }: Setting = {},
): Promise<number> {
  const { child, stop } = forwardingTo(() =>
    spawn(program, argv, { stdio: ['inherit', 'inherit', 'inherit', ...descriptors], env: environment }),
  );
  try {
    const [code, signal] = (await once(child, 'exit')) as [number | null, NodeJS.Signals | null];
    return exitStatus(code, signal);
  } catch (error) {
    throw new Failure(`Cannot run ${child.spawnfile}: ${(error as Error).message}; see nsdir doctor`);
  } finally {
    stop();
  }
}
