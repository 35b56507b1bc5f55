import { afterAll, beforeAll, expect, it } from 'vitest';
import { criuIsMissing } from '../support/checkpoints.ts';
import { detached, scratch } from '../support/containers.ts';
import { mounted, type Mounted } from '../support/mounted.ts';

/** A tool that archives a container saves its processes too, or fails. */
const missing = await criuIsMissing();
let tree: Mounted;
let disk: ReturnType<typeof scratch>;
beforeAll(async () => {
  disk = scratch();
  tree = await mounted();
  await tree.ok('mkdir -p web/job db idle; for c in web web/job db; do echo running > $c/.state; done');
  await detached(tree, 'web', ['sleep', '1000']);
  await tree.ok('echo frozen > db/.state; touch -d @1000000000 idle; chmod 750 idle; chown 1:2 idle');
});
afterAll(async () => {
  await tree[Symbol.asyncDispose]();
  disk[Symbol.dispose]();
});

/** Each leaves a copy of `web`, `db` and `idle` in the directory $OUT. */
const TOOLS = [
  'tar cf - web db idle | tar xf - -C $OUT',
  'tar cf $OUT.tar web db idle && tar xf $OUT.tar -C $OUT && tar df $OUT.tar web/.state db/.state && rm $OUT.tar',
  'tar --format=pax -cjf $OUT.tbz web db idle && tar xjf $OUT.tbz -C $OUT && rm $OUT.tbz',
  'bsdtar cf - web db idle | bsdtar xpf - -C $OUT',
  'bsdtar cf - --format=cpio web db idle | bsdtar xpf - -C $OUT',
  'busybox tar cf - web db idle | busybox tar xf - -C $OUT',
  'find web db idle -depth | cpio --quiet -o -H newc | (cd $OUT && cpio --quiet -idm)',
  'find web db idle -depth | cpio --quiet -pdm $OUT',
  'busybox find web db idle | busybox cpio -o -H newc 2>/dev/null | (cd $OUT && busybox cpio -idm 2>/dev/null)',
  'rsync -a web db idle $OUT/',
  'rsync -aHX --checksum --whole-file web db idle $OUT/',
  'cp -a web db idle $OUT/',
  'cp -R --preserve=all --sparse=always web db idle $OUT/',
  'busybox cp -a web db idle $OUT/',
  `python3 -c "
import os, tarfile, io
out = os.environ['OUT']
with tarfile.open(out + '.tar', 'w') as archive:
    for name in ('web', 'db', 'idle'): archive.add(name)
with tarfile.open(out + '.tar') as archive: archive.extractall(out)
os.unlink(out + '.tar')"`,
  `python3 -c "
import os, shutil
for name in ('web', 'db', 'idle'): shutil.copytree(name, os.environ['OUT'] + '/' + name, symlinks=True)"`,
];

it.for([...TOOLS.entries()])(
  'is copied whole, without a warning, by way %i: %s',
  async ([index, command], { skip }) => {
    skip(missing !== undefined, missing);
    const out = disk.at(`copy${index}`);
    const { status, stdout, stderr } = await tree.sh(`mkdir $OUT && ${command}`, {
      timeout: 10_000,
      env: { OUT: out },
    });
    expect({ status, stdout, stderr }).toEqual({ status: 0, stdout: '', stderr: '' });

    const names = (directory: string) =>
      tree.ok(`cd ${directory} && find web db idle ! -path '*/.checkpoint/*' | sort`);
    expect(await names(out)).toBe(await names('.'));
    expect(await tree.ok(`cd ${out} && cat web/.state web/job/.state db/.state`)).toBe('running\nrunning\nfrozen');
    expect(await tree.ok(`readlink ${out}/web/.init ${out}/web/.ns/net`)).toBe(
      await tree.ok('readlink web/.init web/.ns/net'),
    );
    for (const steady of ['web/.procs', 'db/.procs', 'web/.events', 'db/.signal']) {
      expect(await tree.ok(`cat ${out}/${steady}`), steady).toBe(await tree.ok(`cat ${steady}`));
    }
    // Texts that change are whole lines too: nothing padded, nothing cut.
    expect(await tree.ok(`grep -hvxE '[a-z0-9_.]+ [a-z0-9]+' ${out}/*/.stat || true`)).toBe('');
    expect(await tree.ok(`cut -d ' ' -f 1-3 ${out}/web/.nsproxy`)).toBe(
      await tree.ok(`cut -d ' ' -f 1-3 web/.nsproxy`),
    );
  },
);

it.each(['tar xpf', 'bsdtar xpf', 'busybox tar xpf'])(
  'keeps mode, owner and time of a container through %s',
  async (extract) => {
    const out = disk.at(extract.replaceAll(' ', ''));
    await tree.ok(`mkdir ${out} && tar cf - idle | (cd ${out} && ${extract} -)`);
    expect(await tree.ok(`stat -c '%a %u %g %Y' ${out}/idle`)).toBe('750 1 2 1000000000');
  },
);
