import { constants } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { accountFor } from '../../../src/proc/accounts.ts';
import { OpenFiles } from '../../../src/tree/open-files.ts';
import { errnoOf, FakeTree } from '../../support/fake-tree.ts';
import { procTree } from '../../support/proc-tree.ts';

const [ROOT, ALICE, BOB] = [0, 1001, 1002];
const ALICES_SUBORDINATE = 100_005;

function opened(): OpenFiles {
  const { volume, files } = procTree();
  volume.mkdirSync('/etc');
  volume.writeFileSync('/etc/passwd', `alice:x:${ALICE}:1001::/:/bin/sh\nbob:x:${BOB}:1002::/:/bin/sh\n`);
  volume.writeFileSync('/etc/subuid', 'alice:100000:65536\n');
  const open = new OpenFiles(2, (uid) => accountFor(files, uid));
  open.open(2, ALICE, '.signal');
  open.open(4, ALICES_SUBORDINATE, '.signal');
  return open;
}

describe('OpenFiles', () => {
  test.each([
    [ALICE, 'EDQUOT'],
    [ALICES_SUBORDINATE, 'EDQUOT'],
    [BOB, 'OK'],
    [ROOT, 'OK'],
  ])('when alice has what one may, by several of her ids, uid %i is told %s', async (uid, expected) => {
    const open = opened();
    expect(await errnoOf(() => open.open(6, uid, '.signal'))).toBe(expected);
  });

  test('has room again when one is closed, and counts each once', () => {
    const open = opened();
    open.open(4, ALICES_SUBORDINATE, '.signal');
    open.release(4);
    open.release(4);
    open.open(6, ALICE, '.signal');
    expect(() => open.open(8, ALICE, '.signal')).toThrow(`Cannot open .signal: uid ${ALICE} has 2 control files open`);
  });
});

describe('Tree.open', () => {
  const limited = (files: number) => {
    const it = new FakeTree();
    Object.assign(it, { userLimits: { ...it.userLimits, files } });
    return Object.assign(it, { tree: it.daemon() });
  };

  test('refuses a user who has too many open, read or written, and says why in .error', async () => {
    using it = limited(2);
    it.mkdir('web');
    await it.write('web/.state', 'running');
    it.store.commit([{ op: 'attr', serial: it.container('web').serial, uid: ALICE, at: it.container('web').ctime }]);
    const open = (uid: number, name: string, flags: number) =>
      errnoOf(() => it.tree.open(it.request({ uid }), it.id(`web/${name}`), flags));
    const create = (uid: number) =>
      errnoOf(() => it.tree.create(it.request({ uid }), it.id('web'), '.signal', 0o644, constants.O_WRONLY));
    expect([await open(ALICE, '.procs', constants.O_RDONLY), await create(ALICE)]).toEqual(['OK', 'OK']);
    expect([await open(ALICE, '.procs', constants.O_RDONLY), await create(ALICE)]).toEqual(['EDQUOT', 'EDQUOT']);
    expect(it.container('web').error).toMatch(/^EDQUOT: Cannot open \.signal: uid 1001 has 2 control files/);
    for (const uid of [BOB, ROOT]) expect(await open(uid, '.procs', constants.O_RDONLY)).toBe('OK');
    expect(await create(ROOT)).toBe('OK');
  });

  test('counts none that was not opened', async () => {
    using it = limited(1);
    it.mkdir('web');
    await it.write('web/.state', 'running');
    const request = () => it.request({ uid: ALICE });
    for (let times = 0; times < 3; times++) {
      expect(await errnoOf(() => it.tree.open(request(), it.id('web/.exit'), constants.O_RDONLY))).toBe('ESTALE');
      await it.read('web/.procs', request());
    }
  });
});
