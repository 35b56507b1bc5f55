import { describe, expect, test } from 'vitest';
import { oldListings } from '../../../../mount/device/old-listings.ts';
import type { Change } from '../../../../src/container/change.ts';
import { hide, TOMBSTONE_MS } from '../../../../src/container/hiding.ts';
import { ROOT_SERIAL, type Pid, type Serial } from '../../../../src/ids.ts';
import { proxy } from '../../../../src/tree/control/proxy.ts';
import { directoriesOf } from '../../../../src/tree/control/table.ts';
import { directoryId, nodeId } from '../../../../src/tree/node-id.ts';
import { registryOf } from '../../../support/registry-of.ts';

const at = { sec: 2, nsec: 0 };
const WEB = 1 as Serial;
const JOB = 2 as Serial;
const exit: Change = { op: 'exit', serial: WEB, status: 0, at };
const found: Change = {
  ...{ op: 'found', serial: JOB, parent: WEB, name: 'unnamed1', mode: 0o755, uid: 0, gid: 0 },
  ...{ key: 'k', mark: 'm', kinds: [], at },
};
const lost: Change = { op: 'lost', serial: JOB, parent: WEB, at };

/** `web`, of which an entry was unlinked `sinceMs` ago. */
function unlinked(sinceMs: number) {
  const { registry, at: find } = registryOf('web');
  hide(find('web'), 0b100, 0);
  const old = (change: Change) => {
    registry.apply(change);
    return oldListings(registry, change, sinceMs, () => false);
  };
  return { old };
}

describe('oldListings', () => {
  test('are none of a container whose entries are being unlinked', () => {
    const { old } = unlinked(TOMBSTONE_MS - 1);
    expect([exit, found, lost].flatMap(old)).toEqual([]);
  });

  test('are those of one whose entries were unlinked once, from then on as before', () => {
    const { old } = unlinked(TOMBSTONE_MS);
    expect(old(exit)).toEqual(directoriesOf(WEB));
    expect([found, lost].flatMap(old)).toEqual([directoryId(WEB), directoryId(WEB)]);
  });

  test('are that of the parent, and the name, of one that went unasked; the kernel knows of the others', () => {
    const { registry } = registryOf('web/job');
    const drop: Change = { op: 'drop', serial: JOB, at };
    registry.apply(drop);
    const old = (change: Change) => oldListings(registry, change, 0, () => false);
    expect(old(drop)).toEqual([]);
    expect(old({ ...drop, parent: WEB })).toEqual([directoryId(WEB), directoryId(JOB)]);
  });

  test('are those of processes, of the container that was entered and all around it, that the kernel may keep', () => {
    const { registry } = registryOf('web/job');
    const enter: Change = { op: 'enter', serial: JOB, pid: 7 as Pid, startTime: 1, by: 'symlink', begun: false };
    registry.apply(enter);
    const proxies = [JOB, WEB, ROOT_SERIAL].map((serial) => nodeId(serial, proxy.entry));
    expect(oldListings(registry, enter, 0, () => true)).toEqual(proxies);
    expect(oldListings(registry, enter, 0, ({ name }) => name === 'web')).toEqual([proxies[1]]);
  });
});
