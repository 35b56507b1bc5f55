import { constants } from 'node:os';
import { Failure } from './command.ts';

const ENDING = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/**
 * Runs `action`. A signal that would end us aborts what it is given instead, so that it can clear up; then the result is
 * a Failure with the status that the signal would have had.
 */
export async function interruptible<T>(action: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController();
  const end = (name: (typeof ENDING)[number]) => {
    controller.abort(new Failure('interrupted: nothing is left of it', 128 + constants.signals[name]));
  };
  for (const name of ENDING) process.on(name, end);
  try {
    const result = await action(controller.signal);
    controller.signal.throwIfAborted();
    return result;
  } catch (error) {
    controller.signal.throwIfAborted();
    throw error;
  } finally {
    for (const name of ENDING) process.off(name, end);
  }
}
