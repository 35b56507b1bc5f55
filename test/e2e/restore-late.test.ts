import { describe, expect, it } from 'vitest';
import {
  counting,
  eachWithDisk,
  hangingOn,
  mountedWithCriu,
  nothingHeld,
  scriptAt,
  type Scratch,
} from '../support/checkpoints.ts';
import { cgroupsOf, processesOf } from '../support/containers.ts';
import { eventually } from '../support/mounted.ts';

let disk: Scratch;
eachWithDisk((directory) => (disk = directory));

/** What a restore may take here. */
const LIMIT_MS = 1000;

const WAYS: readonly (readonly [what: string, restore: string])[] = [
  ['with nothing made', hangingOn('pstree.img')],
  ['with some of its processes made', hangingOn('core-2.img')],
  ['with their memory half there', hangingOn('pagemap-2.img')],
  ['with all there, about to go on', scriptAt('pre-resume', 'sleep 1000')],
  ['because somebody stopped it', 'kill -STOP $$; exec $CRIU "$@"'],
];

describe('a criu that does not end is ended, and nothing is left of the container, where it hangs', () => {
  it.for(WAYS)('%s', async ([, restore]) => {
    const script = `case $1 in restore) ;; *) exec $CRIU "$@" ;; esac\n${restore}`;
    await using tree = await mountedWithCriu(disk.at('criu'), script, LIMIT_MS);
    const counter = await counting(tree, 'web', disk.at('count'));
    await tree.ok(`tar cf ${disk.at('web.tar')} web && rm -rf web`);
    const last = counter.last();
    const { status } = await tree.sh(`tar xf ${disk.at('web.tar')}`);
    expect(status).not.toBe(0);
    expect(await tree.ok('cat web/.error')).toMatch(/^ETIMEDOUT: Cannot restore "web": /);
    await eventually(() => processesOf(tree).length === 0 && cgroupsOf(tree).length === 0, 'nothing of it runs');
    expect(await tree.ok('cat web/.state 2>/dev/null || echo none')).toBe('none');
    await tree.ok('rm -rf web');
    await nothingHeld(tree);
    expect(counter.last()).toBe(last);
  });
});
