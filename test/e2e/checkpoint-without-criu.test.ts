import { expect, it } from 'vitest';
import { detached, okInside, scratch } from '../support/containers.ts';
import { mounted } from '../support/mounted.ts';

it('works without CRIU but for checkpoints, which say so', async () => {
  process.env['NSDIR_CRIU'] = '/nonesuch/criu';
  try {
    using disk = scratch();
    await using tree = await mounted();
    const doctor = await tree.nsdir('doctor', tree.dir);
    expect(doctor.status).toBe(0);
    expect(doctor.stdout).toMatch(/^warn criu +none$/m);
    await detached(tree, 'web', ['sleep', '1000']);
    expect(await okInside(tree, 'web', 'hostname')).toBe('web');

    const { status, stderr } = await tree.sh(`tar cf ${disk.at('web.tar')} web`);
    expect(status).not.toBe(0);
    expect(stderr).toContain('Input/output error');
    expect(await tree.ok('cat web/.error')).toMatch(
      /^EIO: Linux \S+ needs CRIU [\d.]+ or later.*run scripts\/setup-criu$/,
    );
    expect(await tree.ok('cat web/.state; ls -A web/.checkpoint; rm -rf web; ls')).toBe('running');
  } finally {
    delete process.env['NSDIR_CRIU'];
  }
});
