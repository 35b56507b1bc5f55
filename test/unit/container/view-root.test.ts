import { describe, expect, test } from 'vitest';
import { viewRootOf } from '../../../src/container/enter-checks.ts';
import { pathOf } from '../../../src/container/container.ts';
import type { FileAccess } from '../../../src/files.ts';
import type { Pid } from '../../../src/ids.ts';
import { callerSight } from '../../../src/proc/sight.ts';
import { OWN_NAMESPACES } from '../../support/fake-machine.ts';
import { OUTSIDE, world, type EnteringWorld } from '../../support/entering-world.ts';

/** What of a process is read while it is found out. */
function readOf(machine: EnteringWorld, pid: Pid, action: (watched: EnteringWorld) => void): string[] {
  const read: string[] = [];
  const note = (path: string) => {
    if (path.startsWith(`/proc/${pid}/`)) read.push(path.slice(`/proc/${pid}/`.length));
  };
  const files: FileAccess = {
    ...machine.files,
    readFileSync: (path, encoding) => (note(path), machine.files.readFileSync(path, encoding)),
    readlinkSync: (path) => (note(path), machine.files.readlinkSync(path)),
  };
  action(Object.create(machine, { files: { value: files } }) as EnteringWorld);
  return read;
}

describe('viewRootOf', () => {
  test('is the machine for who is in the mount namespace of the daemon, wherever else, and no more is read of him', async () => {
    using it = await world();
    it.become('self', 'mnt', OWN_NAMESPACES.mnt);
    const caller = it.spawn(`${it.cgroupOf(it.web)}/own`);
    const read = readOf(it, caller, (watched) => {
      expect(viewRootOf(watched, caller, callerSight(watched.files, caller))).toBe(it.store.registry.root);
    });
    expect(read.sort()).toEqual(['ns/mnt', 'ns/pid', 'ns/user', 'status']);
  });

  test('is the container that he is in, whose mount namespace he is in, with and without a sight of him', async () => {
    using it = await world();
    it.become('self', 'mnt', OWN_NAMESPACES.mnt);
    const inside = it.spawn(`${it.cgroupOf(it.web)}/own`);
    it.settle(inside);
    const stranger = it.spawn(OUTSIDE);
    it.become(stranger, 'mnt', 4711);
    const roots = [inside, stranger].flatMap((pid) => [
      pathOf(viewRootOf(it, pid, callerSight(it.files, pid))),
      pathOf(viewRootOf(it, pid)),
    ]);
    expect(roots).toEqual(['web', 'web', '', '']);
  });

  test('is nothing for one that was killed meanwhile', async () => {
    using it = await world();
    it.become('self', 'mnt', OWN_NAMESPACES.mnt);
    const inside = it.spawn(`${it.cgroupOf(it.web)}/own`);
    it.settle(inside);
    const sight = callerSight(it.files, inside);
    it.kill(inside);
    expect(() => viewRootOf(it, inside, sight)).toThrow('the caller was killed');
    // Before it was even looked in which mount namespace it is.
    const { status, userNamespace, pidNamespace } = sight!;
    const unseen = { mountNamespace: undefined, cgroups: undefined, links: undefined };
    const early = () => viewRootOf(it, inside, { status, userNamespace, pidNamespace, ...unseen });
    expect(early).toThrow('the caller was killed');
  });
});
