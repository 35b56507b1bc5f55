import { chmodSync, writeFileSync } from 'node:fs';
import { beforeEach, describe, expect, it } from 'vitest';
import { findCriu } from '../../src/checkpoint/criu.ts';
import { counting, criuIsMissing, nothingHeld } from '../support/checkpoints.ts';
import { okInside, procsOf, scratch } from '../support/containers.ts';
import { mounted, type Mounted } from '../support/mounted.ts';

const missing = await criuIsMissing();
let tree: Mounted;
let disk: ReturnType<typeof scratch>;
beforeEach(({ skip }) => {
  skip(missing !== undefined, missing);
  disk = scratch();
  return () => {
    disk[Symbol.dispose]();
  };
});

const { program } = missing === undefined ? await findCriu() : { program: '' };

/** Of this test run alone. */
const SECONDS = `1000.${process.pid}`;
const HANG = `sleep ${SECONDS}`;

/** Criu's actions at which a script of ours is asked, the last with all saved and the processes still held (criu(8)). */
const hangingAt = (action: string) =>
  `printf '#!/bin/sh\\n[ "$CRTOOLS_SCRIPT_ACTION" != ${action} ] || ${HANG}\\n' > $0.hang; chmod +x $0.hang
   exec ${program} "$@" --action-script $0.hang`;

const CONNECT =
  "import socket; s = socket.create_server(('127.0.0.1', 0)); socket.create_connection(s.getsockname(), 5)";

const WAYS: readonly (readonly [what: string, dump: string])[] = [
  ['hangs itself, with nothing done', `exec ${HANG}`],
  ['waits for another program, with nothing done', `${HANG}; exit 1`],
  ['waits for another program, the processes held and the network about to be locked', hangingAt('network-lock')],
  ['waits for another program, with all saved', hangingAt('post-dump')],
];

describe('a criu that does not end is ended, and the container goes on, where it', () => {
  it.for(WAYS)('%s', async ([, dump]) => {
    const fake = disk.at('criu');
    writeFileSync(fake, `#!/bin/sh\ncase $1 in dump) ;; *) exec ${program} "$@" ;; esac\n${dump}\n`);
    chmodSync(fake, 0o755);
    Object.assign(process.env, { NSDIR_CRIU: fake, NSDIR_DUMP_LIMIT_MS: '1000' });
    try {
      tree = await mounted();
    } finally {
      delete process.env['NSDIR_CRIU'];
      delete process.env['NSDIR_DUMP_LIMIT_MS'];
    }
    try {
      await tree.ok('mkdir web; echo "running +net" > web/.state');
      const counter = await counting(tree, 'web', disk.at('count'));
      const pids = await procsOf(tree, 'web');
      const { status } = await tree.sh(`tar cf ${disk.at('web.tar')} web`);
      expect(status).not.toBe(0);
      expect(await tree.ok('cat web/.error')).toBe(
        'ETIMEDOUT: Cannot checkpoint "web": criu: it took more than 1000 ms, and was ended',
      );
      await counter.beyond(counter.last() + 3);
      expect((await procsOf(tree, 'web')).slice(0, 2)).toEqual(pids.slice(0, 2));
      // Nothing of it is in the network.
      await okInside(tree, 'web', `python3 -c "${CONNECT}"`);
      await nothingHeld(tree);
      expect((await tree.sh(`grep -l '^sleep.${SECONDS}' /proc/[0-9]*/cmdline`)).stdout).toBe('');
    } finally {
      await tree[Symbol.asyncDispose]();
    }
  });
});
