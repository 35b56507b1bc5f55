import { describe, expect, test } from 'vitest';
import { parseTraceLine } from '../../../src/discovery/trace-line.ts';

/** Lines as a trace_pipe gives them (Linux 6.18). */
const LINES: readonly [line: string, event: unknown][] = [
  [
    '         unshare-3853    [000] .....  1561.98: task_newtask: pid=3854 comm=unshare clone_flags=4000000 oom_score_adj=0',
    { kind: 'born', pid: 3853, child: 3854, apart: true },
  ],
  [
    '              sh-4023    [001] .....  1561.98: sched_process_exec: filename=/usr/bin/cat pid=4023 old_pid=4023',
    { kind: 'executed', pid: 4023 },
  ],
  [
    '         python3-77      [001] .....  1561.98: sched_process_fork: comm=a child_pid=1 pid=77 child_comm=x child_pid=78',
    { kind: 'born', pid: 77, child: 78, apart: false },
  ],
  ['         python3-77      [001] .....  1561.98: sys_unshare -> 0x0', { kind: 'changed', pid: 77, atSec: 1561.98 }],
  ['         python3-77      [001] .....  1561.98: sys_setns -> 0x0', { kind: 'joined', pid: 77 }],
  ['         python3-77      [001] .....  1561.98: sys_unshare -> 0xffffffffffffffff', undefined],
  ['CPU:1 [LOST 42 EVENTS]', { kind: 'lost' }],
  ['           <...>-5       [000] .....  1561.98: sched_process_exit: comm=sh', undefined],
  ['ready', undefined],
  ['', undefined],
];

describe('parseTraceLine', () => {
  test.each(LINES)('%s', (line, event) => {
    expect(parseTraceLine(line)).toEqual(event);
  });

  test('takes the pid behind a name that looks like one', () => {
    expect(parseTraceLine('    x-1 [0] a: b-99      [000] .....  1.5: sys_unshare -> 0x0')).toEqual({
      kind: 'changed',
      pid: 99,
      atSec: 1.5,
    });
  });
});
