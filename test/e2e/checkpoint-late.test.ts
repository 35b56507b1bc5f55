import { describe, expect, it } from 'vitest';
import {
  counting,
  eachWithDisk,
  hangingOn,
  locksIn,
  mountedWithCriu,
  nothingHeld,
  scriptAt,
  wentOn,
  type Scratch,
} from '../support/checkpoints.ts';
import { initOf, okInside } from '../support/containers.ts';

let disk: Scratch;
eachWithDisk((directory) => (disk = directory));

/** What a dump may take here. */
const LIMIT_MS = 1000;

/** Of this test run alone. */
const SECONDS = `1000.${process.pid}`;
const HANG = `sleep ${SECONDS}`;

/** The last has all saved, and the processes still held. */
const hangingAt = (action: string) => scriptAt(action, HANG);

const CONNECT =
  "import socket; s = socket.create_server(('127.0.0.1', 0)); socket.create_connection(s.getsockname(), 5)";

const WAYS: readonly (readonly [what: string, dump: string])[] = [
  ['hangs itself, with nothing done', `exec ${HANG}`],
  ['waits for another program, with nothing done', `${HANG}; exit 1`],
  ['waits for another program, the processes held and the network about to be locked', hangingAt('network-lock')],
  ['waits for another program, with all saved', hangingAt('post-dump')],
  ['hangs itself, the network locked', hangingOn('files.img')],
  ['hangs itself, with its code in the init', hangingOn('core-1.img')],
  ['hangs itself, with its code in a process', hangingOn('core-2.img')],
  ['hangs itself, with the processes done', hangingOn('pstree.img')],
];

describe('a criu that does not end is ended, and the container goes on, where it', () => {
  it.for(WAYS)('%s', async ([, dump]) => {
    const script = `case $1 in dump) ;; *) exec $CRIU "$@" ;; esac\n${dump}`;
    await using tree = await mountedWithCriu(disk.at('criu'), script, LIMIT_MS);
    await tree.ok('mkdir web; echo "running +net" > web/.state');
    const counter = await counting(tree, 'web', disk.at('count'));
    const init = await initOf(tree, 'web');
    const { status } = await tree.sh(`tar cf ${disk.at('web.tar')} web`);
    expect(status).not.toBe(0);
    expect(await tree.ok('cat web/.error')).toBe(
      `ETIMEDOUT: Cannot checkpoint "web": criu: it took more than ${LIMIT_MS} ms, and was ended`,
    );
    await counter.beyond(counter.last() + 3);
    wentOn(counter.numbers(), 0);
    expect(await initOf(tree, 'web')).toBe(init);
    // Nothing of it is in the network.
    expect(await locksIn(tree, init)).toEqual([]);
    await okInside(tree, 'web', `python3 -c "${CONNECT}"`);
    await nothingHeld(tree);
    expect((await tree.sh(`grep -l '^sleep.${SECONDS}' /proc/[0-9]*/cmdline`)).stdout).toBe('');
    expect((await tree.sh(`grep -l '^TracerPid:.*[1-9]' $(sed 's,.*,/proc/&/status,' web/.procs)`)).stdout).toBe('');
  });
});
