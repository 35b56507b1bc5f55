import { findCriu, type Criu } from '../checkpoint/criu.ts';
import { criuFacts, type CriuFacts } from '../checkpoint/criu-facts.ts';
import { criuDir } from '../instance.ts';
import type { Machine } from './machine.ts';
import { runnerProgram } from './program.ts';

/** A CRIU with all that it takes to run it. */
export interface ReadyCriu extends CriuFacts {
  readonly criu: Criu;
  /** As in `CriuRun`. */
  readonly runner: string;
}

/** Throws EIO with the reason why there is none. Takes some ten milliseconds the first time, and then none. */
export async function readyCriu({ instance }: Machine): Promise<ReadyCriu> {
  const criu = await findCriu();
  const runner = runnerProgram(instance.stateDir);
  return { criu, runner, ...(await criuFacts(criu, runner, criuDir(instance))) };
}
