import { constants } from 'node:os';
import { describe, expect, it } from 'vitest';
import type { LibraryStat, Reply } from '../../../../mount/native/library.ts';
import { operationsOf, type Outcome } from '../../../../mount/native/operations.ts';
import { PathTree } from '../../../../mount/native/path-tree.ts';
import { errnoNumber } from '../../../../src/errno.ts';
import { NOW } from '../../../../src/tree/filesystem.ts';
import { FakeTree } from '../../../support/fake-tree.ts';

const { errno } = constants;

/** chown(2): as it is. */
const UNCHANGED = 2 ** 32 - 1;

/** The library, asking for operations of a tree. */
class Asked implements Disposable {
  readonly machine = new FakeTree();
  readonly tree = new PathTree(this.machine.tree, this.machine.request().caller, 2);
  readonly outcomes: Outcome[] = [];
  readonly #operations = operationsOf(this.tree, (outcome) => this.outcomes.push(outcome));

  /** What the library is told: a status, and values. */
  ask(name: string, ...args: unknown[]): Promise<unknown[]> {
    return new Promise((resolve) => {
      const reply: Reply = (...told) => {
        resolve(told);
      };
      this.#operations[name]?.(...args, reply);
    });
  }

  /** `mkdir PATH; echo running > PATH/.state`. */
  async run(path: string): Promise<void> {
    await this.ask('mkdir', path, 0o755);
    const [, handle] = await this.ask('create', `${path}/.state`, 0o644);
    const text = Buffer.from('running');
    expect(await this.ask('write', `${path}/.state`, handle, text, text.length, 0)).toEqual([text.length]);
    await this.ask('release', `${path}/.state`, handle);
  }

  async stat(path: string): Promise<LibraryStat> {
    const [status, stat] = await this.ask('getattr', path);
    expect(status).toBe(0);
    return stat as LibraryStat;
  }

  [Symbol.dispose](): void {
    this.machine[Symbol.dispose]();
  }
}

describe('operations', () => {
  it('give the errno, and EIO for a bug, of which they tell', async () => {
    using it = new Asked();
    expect(await it.ask('getattr', '/none')).toEqual([-errno.ENOENT]);
    expect(await it.ask('mknod', '/x', 0o100644)).toEqual([-errno.EPERM]);
    it.tree.readlink = () => Promise.reject(new TypeError('a bug'));
    expect(await it.ask('readlink', '/x')).toEqual([-errno.EIO]);
    expect(it.outcomes.map(({ name }) => name)).toEqual(['getattr', 'mknod', 'readlink']);
    expect(it.outcomes.at(-1)?.error).toBeInstanceOf(TypeError);
    expect(errnoNumber('ENOTSUP')).toBe(errno.EOPNOTSUPP);
  });

  it('change of owner and group what is given', async () => {
    using it = new Asked();
    await it.ask('mkdir', '/web', 0o755);
    await it.ask('chown', '/web', 1001, UNCHANGED);
    expect(await it.stat('/web')).toMatchObject({ uid: 1001, gid: 0 });
    await it.ask('chown', '/web', UNCHANGED, 4);
    expect(await it.stat('/web')).toMatchObject({ uid: 1001, gid: 4 });
  });

  it('take two times that are the same and not past yet for the present, and no others', async () => {
    using it = new Asked();
    const set: unknown[] = [];
    it.tree.setattr = (_, changes) => {
      set.push(changes);
      return Promise.resolve();
    };
    const present = Date.now();
    await it.ask('utimens', '/', present, present);
    await it.ask('utimens', '/', present, present - 1);
    await it.ask('utimens', '/', 1_234, 1_234);
    const given = (ms: number) => ({ sec: Math.floor(ms / 1000), nsec: (ms % 1000) * 1_000_000 });
    expect(set).toEqual([
      { atime: NOW, mtime: NOW },
      { atime: given(present), mtime: given(present - 1) },
      { atime: { sec: 1, nsec: 234_000_000 }, mtime: { sec: 1, nsec: 234_000_000 } },
    ]);
  });

  it('keep no buffer of the library’s, which is gone with the answer', async () => {
    using it = new Asked();
    let kept: Uint8Array = Buffer.alloc(0);
    it.tree.write = (_handle, _offset, data) => {
      kept = data;
      return Promise.resolve(data.length);
    };
    const buffer = Buffer.from('running and more');
    expect(await it.ask('write', '/web/.state', 1, buffer, 7, 0)).toEqual([7]);
    buffer.fill(0);
    expect(Buffer.from(kept).toString()).toBe('running');
  });

  it('read into the buffer, and count blocks of files, not of directories', async () => {
    using it = new Asked();
    await it.run('/web');
    const [, handle] = await it.ask('open', '/web/.state', 0);
    const buffer = Buffer.alloc(4096);
    expect(await it.ask('read', '/web/.state', handle, buffer, 4096, 0)).toEqual(['running\n'.length]);
    expect(buffer.subarray(0, 8).toString()).toBe('running\n');
    expect(await it.ask('fgetattr', '/elsewhere', handle)).toMatchObject([0, { nlink: 1 }]);
    expect((await it.ask('fgetattr', '/', 0))[0]).toBe(0);
    expect(await it.ask('release', '/web/.state', handle)).toEqual([0]);
    expect(await it.ask('read', '/web/.state', handle, buffer, 1, 0)).toEqual([-errno.EBADF]);
    expect(await it.ask('fgetattr', '/web/.state', handle)).toEqual([-errno.EBADF]);
    expect(await it.stat('/web')).toMatchObject({ blocks: 0 });
    expect(await it.stat('/web/.state')).toMatchObject({ blocks: 1 });
  });

  it('know no name that is not UTF-8, and say of one that is too long for its bytes alone that it is not there', async () => {
    using it = new Asked();
    const replaced = '\u{FFFD}';
    for (const name of [replaced, replaced.repeat(255)]) {
      expect(await it.ask('getattr', `/${name}`)).toEqual([-errno.ENOENT]);
      expect(await it.ask('mkdir', `/${name}`, 0o755)).toEqual([-errno.EINVAL]);
    }
    expect(await it.ask('mkdir', `/${replaced}${'x'.repeat(255)}`, 0o755)).toEqual([-errno.ENAMETOOLONG]);
  });

  it('have nobody read what nobody has permission to read', async () => {
    using it = new Asked();
    await it.run('/web');
    const open = async (flags: number) => (await it.ask('open', '/web/.signal', flags))[0];
    expect(await Promise.all([0, 1, 2].map(open))).toEqual([-errno.EACCES, 0, -errno.EACCES]);
  });
});
