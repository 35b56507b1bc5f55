import { statSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { subtree } from '../../../src/container/container.ts';
import { Events, EVENTS_LIMIT, whereabouts } from '../../../src/container/events.ts';
import { Registry } from '../../../src/container/registry.ts';
import { ROOT_SERIAL, type Serial } from '../../../src/ids.ts';
import { AS_ROOT } from '../../support/as-root.ts';
import { registryOf } from '../../support/registry-of.ts';
import { scratch } from '../../support/scratch.ts';

const at = { sec: 1, nsec: 0 };
const [WEB, JOB, DB] = [1, 2, 3] as Serial[] as [Serial, Serial, Serial];

function containers() {
  const registry = new Registry(at);
  const rows = [[WEB, ROOT_SERIAL, 'web'] as const, [JOB, WEB, 'job'] as const, [DB, ROOT_SERIAL, 'db'] as const];
  for (const [serial, parent, name] of rows) {
    registry.apply({ op: 'make', serial, parent, name, mode: 0o755, uid: 0, gid: 0, at });
  }
  const { root } = registry;
  return { registry, root, web: registry.get(WEB)!, job: registry.get(JOB)!, db: registry.get(DB)! };
}

/** Lines without their times. */
const said = (text: string) => text.replaceAll(/^\d+\.\d{3}\t/gm, '');

describe('Events.textSince', () => {
  test('a line is time, event, path and detail, each behind a tab', () => {
    using dir = scratch();
    const events = Events.open(dir.at('e'));
    events.emit(containers().job, 'exited', 137);
    expect(events.textSince(ROOT_SERIAL, 0, AS_ROOT)).toMatch(/^\d{10}\.\d{3}\texited\tweb\/job\t137\n$/);
  });

  test('tells of a subtree only, with paths relative to it', () => {
    using dir = scratch();
    const events = Events.open(dir.at('e'));
    const { web, job, db } = containers();
    events.emit(web, 'started');
    events.emit(job, 'created');
    events.emit(db, 'frozen');
    expect(said(events.textSince(ROOT_SERIAL, 0, AS_ROOT))).toBe('started\tweb\ncreated\tweb/job\nfrozen\tdb\n');
    expect(said(events.textSince(WEB, 0, AS_ROOT))).toBe('started\t.\ncreated\tjob\n');
    expect(said(events.textSince(JOB, 0, AS_ROOT))).toBe('created\t.\n');
    expect(said(events.textSince(DB, 0, AS_ROOT))).toBe('frozen\t.\n');
  });

  test('tells only what came after a number', () => {
    using dir = scratch();
    const events = Events.open(dir.at('e'));
    const { web } = containers();
    events.emit(web, 'started');
    const { sequence } = events;
    expect(events.textSince(WEB, sequence, AS_ROOT)).toBe('');
    events.emit(web, 'frozen');
    events.emit(web, 'thawed');
    expect(said(events.textSince(WEB, sequence, AS_ROOT))).toBe('frozen\t.\nthawed\t.\n');
  });

  test('names are those of the time of the event', () => {
    using dir = scratch();
    const events = Events.open(dir.at('e'));
    const { registry, web, job } = containers();
    events.emit(job, 'created');
    registry.apply({ op: 'move', serial: WEB, parent: ROOT_SERIAL, name: 'www', at });
    events.emit(web, 'started');
    expect(said(events.textSince(ROOT_SERIAL, 0, AS_ROOT))).toBe('created\tweb/job\nstarted\twww\n');
  });

  test('tells nobody of what is in a directory that he might not list when it happened', () => {
    using dir = scratch();
    const events = Events.open(dir.at('e'));
    const { registry, web, job, db } = containers();
    const [owner, member, other] = [
      { uid: 1001, gid: 1001 },
      { uid: 1002, gid: 50 },
      { uid: 1002, gid: 1002 },
    ];
    registry.apply({ op: 'attr', serial: WEB, mode: 0o750, uid: 1001, gid: 50, at });
    events.emit(job, 'created');
    events.emit(web, 'started');
    const before = whereabouts(job);
    registry.apply({ op: 'move', serial: JOB, parent: DB, name: 'task', at });
    events.emit(job, 'renamed', before);
    registry.apply({ op: 'attr', serial: WEB, mode: 0o755, at });
    events.emit(db, 'frozen');
    const all = 'created\tweb/job\nstarted\tweb\nrenamed\tdb/task\tweb/job\nfrozen\tdb\n';
    for (const reader of [AS_ROOT, owner, member]) expect(said(events.textSince(ROOT_SERIAL, 0, reader))).toBe(all);
    expect(said(events.textSince(ROOT_SERIAL, 0, other))).toBe('started\tweb\nrenamed\tdb/task\tjob\nfrozen\tdb\n');
    expect(said(events.textSince(WEB, 0, other))).toBe('started\t.\n');
    expect(said(Events.open(dir.at('e')).textSince(WEB, 0, member))).toBe('created\tjob\nstarted\t.\n');
  });

  test('tells where a renamed container was as far as the reader may know it', () => {
    using dir = scratch();
    const events = Events.open(dir.at('e'));
    const { registry, job } = containers();
    const before = whereabouts(job);
    registry.apply({ op: 'move', serial: JOB, parent: DB, name: 'task', at });
    events.emit(job, 'renamed', before);
    const within = whereabouts(job);
    registry.apply({ op: 'move', serial: JOB, parent: DB, name: 'work', at });
    events.emit(job, 'renamed', within);
    expect(said(events.textSince(ROOT_SERIAL, 0, AS_ROOT))).toBe(
      'renamed\tdb/task\tweb/job\nrenamed\tdb/work\tdb/task\n',
    );
    expect(said(events.textSince(DB, 0, AS_ROOT))).toBe('renamed\ttask\tjob\nrenamed\twork\ttask\n');
    expect(said(events.textSince(JOB, 0, AS_ROOT))).toBe('renamed\t.\tjob\nrenamed\t.\ttask\n');
    expect(events.textSince(WEB, 0, AS_ROOT)).toBe('');
  });
});

describe('Events.open', () => {
  test('goes on where the former daemon ended', () => {
    using dir = scratch();
    const former = Events.open(dir.at('e'));
    const { web } = containers();
    former.emit(web, 'created');
    former.emit(web, 'started');
    const events = Events.open(dir.at('e'));
    expect([events.sequence, events.textSince(WEB, 0, AS_ROOT)]).toEqual([2, former.textSince(WEB, 0, AS_ROOT)]);
    events.emit(web, 'frozen');
    expect(said(events.textSince(WEB, 2, AS_ROOT))).toBe('frozen\t.\n');
  });

  test('forgets the oldest, in memory and in the file', () => {
    using dir = scratch();
    const events = Events.open(dir.at('e'));
    const { web } = containers();
    for (let i = 1; i <= 2 * EVENTS_LIMIT + 1; i++) events.emit(web, 'signalled', i);
    const lines = said(events.textSince(WEB, 0, AS_ROOT))
      .split('\n')
      .slice(0, -1);
    expect(lines).toHaveLength(EVENTS_LIMIT);
    expect(lines.at(-1)).toBe(`signalled\t.\t${2 * EVENTS_LIMIT + 1}`);
    expect(events.textSince(WEB, 2 * EVENTS_LIMIT, AS_ROOT)).toBe(
      `${events.textSince(WEB, 0, AS_ROOT).split('\n').at(-2)!}\n`,
    );
    expect(Events.open(dir.at('e')).textSince(WEB, 0, AS_ROOT)).toBe(events.textSince(WEB, 0, AS_ROOT));
  });

  test('forgets sooner what is nested deep', () => {
    using dir = scratch();
    const events = Events.open(dir.at('e'));
    const { registry } = registryOf(Array.from({ length: 2_000 }, () => 'd').join('/'));
    const deepest = [...subtree(registry.root)].at(-1)!;
    for (let i = 1; i <= 300; i++) events.emit(deepest, 'signalled', i);
    const lines = events.textSince(deepest.serial, 0, AS_ROOT).split('\n').slice(0, -1);
    expect(lines.length).toBeLessThan(150);
    expect(lines.at(-1)).toMatch(/\t300$/);
    expect(statSync(dir.at('e')).size).toBeLessThan(4e6);
  });
});

describe('Events.onEvent', () => {
  test('hears of the container and all above it but the root', () => {
    using dir = scratch();
    const events = Events.open(dir.at('e'));
    const heard: (readonly Serial[])[] = [];
    events.onEvent((serials) => heard.push(serials));
    events.emit(containers().job, 'created');
    events.emit(containers().root, 'created');
    expect(heard).toEqual([[WEB, JOB], []]);
  });
});
