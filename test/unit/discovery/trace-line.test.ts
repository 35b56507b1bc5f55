import { describe, expect, test } from 'vitest';
import { parseTraceLine } from '../../../src/discovery/trace-line.ts';

const atSec = 1561.98;
const UTS = 0x0400_0000;

/** Lines as a trace_pipe gives them (Linux 6.18). */
const LINES: readonly [line: string, event: unknown][] = [
  [
    '         unshare-3853    [000] .....  1561.98: task_newtask: pid=3854 comm=unshare clone_flags=4000000 oom_score_adj=0',
    { kind: 'born', pid: 3853, child: 3854, fresh: UTS, thread: false, atSec },
  ],
  [
    '            node-3853    [000] .....  1561.98: task_newtask: pid=3855 comm=node clone_flags=3d0f00 oom_score_adj=-100',
    { kind: 'born', pid: 3853, child: 3855, fresh: 0, thread: true, atSec },
  ],
  [
    '              sh-4023    [001] .....  1561.98: task_rename: pid=4024 oldcomm=sh newcomm=cat oom_score_adj=0',
    { kind: 'executed', pid: 4024, atSec },
  ],
  [
    '         python3-77      [001] .....  1561.98: sched_process_exit: comm=python3 pid=77 prio=120 group_dead=true',
    { kind: 'ended', pid: 77, atSec },
  ],
  [
    '         python3-77      [001] .....  1561.98: sys_unshare(unshare_flags: 4000400)',
    { kind: 'changing', pid: 77, fresh: UTS, joins: false, atSec },
  ],
  ['         python3-77      [001] .....  1561.98: sys_unshare(unshare_flags: 400)', { kind: 'mark', atSec }],
  [
    '         python3-77      [001] .....  1561.98: sys_setns(fd: 0x63, flags: 0x4000000)',
    { kind: 'changing', pid: 77, fresh: UTS, joins: true, atSec },
  ],
  [
    '         python3-77      [001] .....  1561.98: sys_setns(fd: 3, flags: 0)',
    { kind: 'changing', pid: 77, fresh: 0x7e02_0080, joins: true, atSec },
  ],
  [
    '         python3-77      [001] .....  1561.98: sys_unshare -> 0x0',
    { kind: 'changed', pid: 77, done: true, atSec },
  ],
  [
    '         python3-77      [001] .....  1561.98: sys_setns -> 0xffffffffffffffff',
    { kind: 'changed', pid: 77, done: false, atSec },
  ],
  ['              sh-77      [001] ...1.  1561.98: tracing_mark_write: mark', { kind: 'mark', atSec }],
  ['CPU:1 [LOST 42 EVENTS]', { kind: 'lost' }],
  ['         python3-77      [001] .....  1561.98: task_newtask: pid=3855 comm=no', undefined],
  ['', undefined],
];

describe('parseTraceLine', () => {
  test.each(LINES)('%s', (line, event) => {
    expect(parseTraceLine(line)).toEqual(event);
  });

  test('takes the pid behind a name that looks like one', () => {
    expect(parseTraceLine('    x-1 [0] a: b-99      [000] .....  1561.98: sys_unshare -> 0x0')).toEqual({
      kind: 'changed',
      pid: 99,
      done: true,
      atSec,
    });
  });
});
