import fs from 'node:fs';
import { open } from 'node:fs/promises';
import { runBounded } from '../../../mount/device/child.ts';
import { healthOf, mountOf, mountsAt } from '../../../mount/device/mountpoint.ts';
import { checkCriu, findCriu } from '../../checkpoint/criu.ts';
import { systemErrno } from '../../errno.ts';
import { findRuntime } from '../../oci/runtime.ts';
import { initBinary, privateMachineScript } from '../package.ts';
import type { Machine } from './check.ts';

const INIT_TIMEOUT_MS = 5_000;

/** The machine we are on. */
export async function thisMachine(): Promise<Machine> {
  const initPath = await initBinary();
  const ailments = new Map<number, Promise<string | undefined>>();
  return {
    files: fs,
    nodeVersion: process.version,
    initPath,
    mountsAt,
    mountOf,
    async criu() {
      const found = await findCriu();
      return { ...found, lacks: await checkCriu(found) };
    },
    runtime: () => findRuntime().program,
    tryPrivateMachine: async () =>
      runBounded(initPath, ['machine', await privateMachineScript(), '--check'], INIT_TIMEOUT_MS),
    runInit: () => runBounded(initPath, [], INIT_TIMEOUT_MS),
    async openDevice(path) {
      try {
        await (await open(path, 'r+')).close();
        return undefined;
      } catch (error) {
        return systemErrno(error) ?? String(error);
      }
    },
    ailmentOf({ id, mountPoint }) {
      const asked = ailments.get(id) ?? ailmentAt(mountPoint);
      ailments.set(id, asked);
      return asked;
    },
  };
}

async function ailmentAt(directory: string): Promise<string | undefined> {
  const health = await healthOf(directory);
  return health.alive ? undefined : health.reason;
}
