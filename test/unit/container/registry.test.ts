import { describe, expect, test } from 'vitest';
import type { Change } from '../../../src/container/change.ts';
import type { Container } from '../../../src/container/container.ts';
import { Registry } from '../../../src/container/registry.ts';
import { ROOT_SERIAL, type Pid, type Serial } from '../../../src/ids.ts';

const at = (sec: number) => ({ sec, nsec: 0 });
const BIRTH = at(1);
const init = { pid: 42 as Pid, startTime: 7 };
const [WEB, JOB, DB] = [1, 2, 3] as Serial[] as [Serial, Serial, Serial];

const make = (serial: Serial, parent: Serial, name: string, sec = 2): Change => ({
  ...{ op: 'make', serial, parent, name, mode: 0o750, uid: 5, gid: 6, at: at(sec) },
});

/** `web/job` and `db`, all of second 2. */
function withThree(...changes: Change[]): { registry: Registry; web: Container; job: Container; db: Container } {
  const registry = new Registry(BIRTH);
  const made = [make(WEB, ROOT_SERIAL, 'web'), make(JOB, WEB, 'job'), make(DB, ROOT_SERIAL, 'db')];
  for (const change of [...made, ...changes]) registry.apply(change);
  return { registry, web: registry.get(WEB)!, job: registry.get(JOB)!, db: registry.get(DB)! };
}

const names = (container: Container) => [...container.children.keys()];

describe('Registry', () => {
  test('has the machine itself from the beginning, running', () => {
    const { root, size, nextSerial } = new Registry(BIRTH);
    expect([root.serial, root.phase, root.mode, size, nextSerial]).toEqual([ROOT_SERIAL, 'running', 0o755, 1, 1]);
  });

  test('ignores a change of a container it does not know', () => {
    const { registry } = withThree();
    registry.apply({ op: 'drop', serial: 9 as Serial, at: at(3) });
    registry.apply(make(10 as Serial, 9 as Serial, 'orphan'));
    expect([registry.size, names(registry.root)]).toEqual([4, ['web', 'db']]);
  });
});

describe('Registry.apply make', () => {
  test('adds a declared container and dates its parent', () => {
    const { registry, web, job } = withThree();
    expect(job).toMatchObject({ name: 'job', parent: web, phase: 'declared', mode: 0o750, uid: 5, gid: 6 });
    expect(job).toMatchObject({ atime: at(2), mtime: at(2), ctime: at(2), changed: at(2) });
    expect([registry.root.mtime, registry.root.ctime, registry.root.atime]).toEqual([at(2), at(2), BIRTH]);
  });

  test('never gives a serial again', () => {
    const { registry } = withThree({ op: 'drop', serial: DB, at: at(3) });
    expect(registry.nextSerial).toBe(4);
    registry.apply({ op: 'next', serial: 10 as Serial });
    registry.apply({ op: 'next', serial: 5 as Serial });
    expect(registry.nextSerial).toBe(10);
  });
});

describe('Registry.apply move', () => {
  test('renames: the parent and the container are dated, what is below stays', () => {
    const { registry, web, job } = withThree({ op: 'move', serial: WEB, parent: ROOT_SERIAL, name: 'www', at: at(3) });
    expect([names(registry.root), web.name, job.parent]).toEqual([['db', 'www'], 'www', web]);
    expect([registry.root.mtime, web.ctime, web.mtime]).toEqual([at(3), at(3), at(2)]);
  });

  test('puts it under another parent, and dates both', () => {
    const { registry, web, job, db } = withThree({ op: 'move', serial: JOB, parent: DB, name: 'job2', at: at(3) });
    expect([names(web), names(db), job.parent]).toEqual([[], ['job2'], db]);
    expect([web.mtime, db.mtime, registry.root.mtime]).toEqual([at(3), at(3), at(2)]);
  });
});

describe('Registry.apply exchange', () => {
  test('swaps places and names', () => {
    const { registry, web, job, db } = withThree({ op: 'exchange', serial: JOB, other: DB, at: at(3) });
    expect([names(registry.root), names(web)]).toEqual([['web', 'db'], ['job']]);
    expect([registry.root.children.get('db'), web.children.get('job')]).toEqual([job, db]);
    expect([job.name, job.parent, db.name, db.parent]).toEqual(['db', registry.root, 'job', web]);
  });

  test('swaps names below one parent', () => {
    const { registry, web, db } = withThree({ op: 'exchange', serial: WEB, other: DB, at: at(3) });
    expect([registry.root.children.get('db'), registry.root.children.get('web')]).toEqual([web, db]);
  });
});

describe('Registry.apply drop', () => {
  test('takes all that is below with it', () => {
    const { registry } = withThree({ op: 'drop', serial: WEB, at: at(3) });
    expect([registry.get(WEB), registry.get(JOB), registry.size]).toEqual([undefined, undefined, 2]);
    expect([names(registry.root), registry.root.mtime]).toEqual([['db'], at(3)]);
  });
});

describe('Registry.apply attr', () => {
  test('sets what is given, and the change time', () => {
    const { web } = withThree({ op: 'attr', serial: WEB, mode: 0o1777, uid: 0, at: at(3) });
    expect(web).toMatchObject({ mode: 0o1777, uid: 0, gid: 6, atime: at(2), mtime: at(2), ctime: at(3) });
  });

  test('sets times to any second, the first one too', () => {
    const { web } = withThree({ op: 'attr', serial: WEB, atime: at(0), mtime: at(-5), at: at(3) });
    expect(web).toMatchObject({ atime: at(0), mtime: at(-5), ctime: at(3), changed: at(2) });
  });
});

describe('Registry.apply start', () => {
  test('runs with its init and its namespaces, and knows of no former end or refusal', () => {
    const { web } = withThree(
      { op: 'start', serial: WEB, init, kinds: ['mnt'], at: at(3) },
      { op: 'exit', serial: WEB, status: 3, at: at(4) },
      { op: 'error', serial: WEB, text: 'EBUSY', at: at(4) },
      { op: 'start', serial: WEB, init, kinds: ['net'], at: at(5) },
    );
    expect(web).toMatchObject({ phase: 'running', init, kinds: ['net'], changed: at(5) });
    expect([web.exit, web.error]).toEqual([undefined, undefined]);
  });
});

describe('Registry.apply phase', () => {
  test('stopped has no init, frozen keeps it', () => {
    const start: Change = { op: 'start', serial: WEB, init, kinds: [], at: at(3) };
    const frozen = withThree(start, { op: 'phase', serial: WEB, phase: 'frozen', at: at(4) });
    expect(frozen.web).toMatchObject({ phase: 'frozen', init, changed: at(4) });
    const stopped = withThree(start, { op: 'phase', serial: WEB, phase: 'stopped', at: at(4) });
    expect(stopped.web).toMatchObject({ phase: 'stopped', init: undefined, kinds: [] });
  });
});

describe('Registry.apply exit', () => {
  const start: Change = { op: 'start', serial: WEB, init, kinds: [], at: at(3) };

  test('keeps the status, and the phase while others live', () => {
    const { web } = withThree(start, { op: 'exit', serial: WEB, status: 0, at: at(4) });
    expect(web).toMatchObject({ phase: 'running', init: undefined, exit: 0, changed: at(4) });
  });

  test('of unknown status leaves none', () => {
    const { web } = withThree(start, { op: 'exit', serial: WEB, at: at(4) });
    expect([web.init, web.exit]).toEqual([undefined, undefined]);
  });
});

describe('Registry.apply want, error, clear', () => {
  test('want sets and unsets what is asked for', () => {
    const { registry, web } = withThree({ op: 'want', serial: WEB, kinds: ['net'] });
    expect(web.kinds).toEqual(['net']);
    registry.apply({ op: 'want', serial: WEB, kinds: undefined });
    expect(web.kinds).toBeUndefined();
  });

  test('clear removes one report and leaves the other', () => {
    const { registry, web } = withThree(
      { op: 'error', serial: WEB, text: 'EPERM: no', at: at(3) },
      { op: 'exit', serial: WEB, status: 1, at: at(3) },
      { op: 'clear', serial: WEB, what: 'error' },
    );
    expect([web.error, web.exit]).toEqual([undefined, 1]);
    registry.apply({ op: 'clear', serial: WEB, what: 'exit' });
    expect(web.exit).toBeUndefined();
  });
});
