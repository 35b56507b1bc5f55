import { execFile } from 'node:child_process';
import { statSync } from 'node:fs';
import { promisify } from 'node:util';
import { stateFiles } from '../instance.ts';
import { subtree, type Container } from './container.ts';
import type { Machine } from './machine.ts';

/** How much room what the detached commands of one container wrote may take, if nothing else is said. */
export const OUTPUT_LIMIT_BYTES = 256 << 20;

/** How often outputs are looked at, and how many each time: all of them in turn. */
const OUTPUT_LOOK_MS = 1_000;
const OUTPUTS_PER_LOOK = 200;

/** A hole takes no time; a disk that does not answer is left alone. */
const PUNCH_LIMIT_MS = 30_000;

/** Holes are made of whole blocks (fallocate(2)). */
const BLOCK_BYTES = 4096;

/** Unit of `st_blocks` (stat(3type)). */
const SECTOR_BYTES = 512;

interface Room {
  readonly size: number;
  readonly blocks: number;
}

/**
 * How many bytes from its beginning a file has to give up to take no more room than half of `limitBytes`, and thus nothing for
 * a while; 0 if it takes no more than that yet.
 */
export function surplus({ size, blocks }: Room, limitBytes: number): number {
  if (blocks * SECTOR_BYTES <= limitBytes) return 0;
  return Math.floor(Math.max(0, size - limitBytes / 2) / BLOCK_BYTES) * BLOCK_BYTES;
}

const run = promisify(execFile);

/**
 * Keeps what detached commands write within `limitBytes` for each container: the beginning of a longer file becomes a hole
 * (FALLOC_FL_PUNCH_HOLE of fallocate(2)). Commands hold it open and append, criu knows its size: neither notices. Goes on as
 * long as the daemon lives; 0 is no limit.
 */
export function boundOutputs(machine: Machine, limitBytes: number): void {
  if (limitBytes === 0) return;
  const { store, log } = machine;
  const hopeless = new WeakSet<Container>();
  let left: Container[] = [];
  const look = async () => {
    if (left.length === 0) left = [...subtree(store.registry.root)].filter(({ parent, found }) => parent && !found);
    for (const container of left.splice(0, OUTPUTS_PER_LOOK)) {
      if (hopeless.has(container)) continue;
      const { output } = stateFiles(machine.instance, container.serial);
      const room = statSync(output, { throwIfNoEntry: false });
      const bytes = room ? surplus(room, limitBytes) : 0;
      if (bytes === 0) continue;
      try {
        await run('fallocate', ['--punch-hole', '--offset', '0', '--length', String(bytes), output], {
          timeout: PUNCH_LIMIT_MS,
          killSignal: 'SIGKILL',
        });
      } catch (error) {
        hopeless.add(container);
        log.warn(
          { container: container.serial, file: output, err: error },
          'what a container wrote cannot be shortened',
        );
      }
    }
  };
  let looking = false;
  setInterval(() => {
    if (looking) return;
    looking = true;
    void look().finally(() => {
      looking = false;
    });
  }, OUTPUT_LOOK_MS).unref();
}
