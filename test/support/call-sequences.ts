import fc from 'fast-check';
import type { AnonymousCall, Call, Sequence, User } from './directory-calls.ts';

/** Calls per sequence; most find something to collide with by then. */
const CALLS_MAX = 24;

const COMMON_GROUP = 2000;
const USERS: readonly User[] = [
  [0, 0, []],
  [1001, 1001, [COMMON_GROUP]],
  [1002, 1002, [COMMON_GROUP, 3000]],
];
const IDS = [-1, 0, 1001, 1002, COMMON_GROUP, 3000];
const MODES = [
  0o777, 0o755, 0o700, 0o1777, 0o2775, 0o2777, 0o3777, 0o3770, 0o7777, 0o4755, 0o555, 0o333, 0o711, 0o111, 0o070, 0,
];

const LONGEST = 'x'.repeat(255);
const LONGEST_UNICODE = '語'.repeat(85);
const TOO_LONG = 'x'.repeat(256);
const TOO_LONG_UNICODE = `${LONGEST_UNICODE}é`;
/** Bytes that are not UTF-8, as Python has them in text. */
const NOT_UTF8 = '\udcff\udcfe';
const LONGEST_NOT_UTF8 = '\udcff'.repeat(255);

const COMMON_NAMES = ['a', 'b'];
const RARE_NAMES = [LONGEST, LONGEST_UNICODE, 'é', 'e\u0301', ' ', '-rf', 'a b', '\u{1f4e6}', 'x\\', "'", '*'];
const MISSING_NAMES = [TOO_LONG, TOO_LONG_UNICODE];
/** tmpfs has these, nsdir has none. */
const FOREIGN_NAMES = ['.x', '...', '.state~', 'new\nline', '\u007f', '\u0085', NOT_UTF8, LONGEST_NOT_UTF8, '\ufffd'];

const pick = <T>(...values: readonly T[]) => fc.constantFrom(...values);
const often = <T>(weight: number, arbitrary: fc.Arbitrary<T>) => ({ weight, arbitrary });

const name = fc.oneof(
  often(40, pick(...COMMON_NAMES)),
  often(3, pick(...RARE_NAMES)),
  often(1, pick(...MISSING_NAMES)),
);
const step = fc.oneof(often(40, pick(...COMMON_NAMES)), often(2, name), often(1, pick('.', 'a/..', '')));
const directory = fc
  .oneof(often(6, fc.constant([])), often(5, fc.tuple(step)), often(1, fc.tuple(step, step)))
  .map((parts) => parts.map((part) => `${part || '.'}/`).join(''));
const ending = fc.oneof(often(12, pick('')), often(1, pick('/', '/.', '/..', '//')));
const path = fc.tuple(directory, name, ending).map((parts) => parts.join(''));

/** A path of nearly, or just over, what a system call takes. */
const longPath = fc.tuple(pick(4094, 4095, 4096, 4097), name).map(([bytes, last]) => {
  const before = bytes - Buffer.byteLength(last);
  return './'.repeat(Math.floor(before / 2)) + (before % 2 === 1 ? '/' : '') + last;
});

/** What is looked at but never made. */
const target = fc.oneof(
  often(30, path),
  often(1, longPath),
  often(1, pick('', '.', 'nothing/..')),
  often(
    1,
    fc.tuple(directory, pick(...FOREIGN_NAMES)).map((parts) => parts.join('')),
  ),
);

const mode = pick(...MODES);
const id = pick(...IDS);
const wantedTime = fc.oneof(
  pick<unknown>('omit', 'now'),
  fc.tuple(pick(0, 1, 86_400, 1_000_000_000, -1), pick(0, 1, 999_999_999)),
);
const OPEN_FLAGS = [
  ['O_RDONLY'],
  ['O_WRONLY'],
  ['O_RDWR'],
  ['O_RDONLY', 'O_DIRECTORY'],
  ['O_PATH'],
  ['O_RDONLY', 'O_TRUNC'],
  ['O_RDONLY', 'O_CREAT'],
  ['O_WRONLY', 'O_CREAT'],
  ['O_WRONLY', 'O_CREAT', 'O_EXCL'],
  ['O_RDWR', 'O_CREAT', 'O_TRUNC', 'O_NOFOLLOW'],
  ['O_WRONLY', 'O_CREAT', 'O_APPEND'],
];

const making = fc.record({
  call: pick('mkdir'),
  path: fc.oneof(often(30, path), often(1, longPath)),
  mode,
  umask: pick(0, 0o22, 0o77),
});
const makingForeign = fc
  .record({ call: pick('mkdir'), directory, last: pick(...FOREIGN_NAMES), mode, umask: pick(0) })
  .map(({ directory: parent, last, ...rest }) => ({ ...rest, path: parent + last, foreign: true }));
const moving = fc.record({
  call: pick('rename'),
  path: target,
  to: path,
  flags: fc.oneof(often(6, pick(0)), often(3, pick(1, 2)), often(1, pick(3, 8))),
});

const anyCall = fc.oneof(
  often(12, making),
  often(1, makingForeign),
  often(8, moving),
  often(5, fc.record({ call: pick('rmdir'), path: target })),
  often(5, fc.record({ call: pick('chmod'), path: target, mode })),
  often(5, fc.record({ call: pick('chown'), path: target, uid: id, gid: id })),
  often(4, fc.record({ call: pick('utimens'), path: target, atime: wantedTime, mtime: wantedTime })),
  often(4, fc.record({ call: pick('open'), path: target, flags: pick(...OPEN_FLAGS), mode })),
  often(2, fc.record({ call: pick('mknod'), path: target, type: pick('reg', 'fifo', 'sock', 'chr', 'blk'), mode })),
  often(
    2,
    fc.record({ call: pick('symlink'), target: pick('a', '/', 'b'.repeat(4095), 'b'.repeat(4096), ''), path: target }),
  ),
  often(1, fc.record({ call: pick('link'), path: target, to: target })),
  often(2, fc.record({ call: pick('unlink', 'truncate', 'readlink', 'list', 'stat'), path: target })),
  often(2, fc.record({ call: pick('access'), path: target, mode: fc.nat(7) })),
  often(2, fc.record({ call: pick('chdir'), path: target })),
  often(1, fc.record({ call: pick('home') })),
);

const user = fc.oneof(often(2, pick(USERS[0]!)), often(3, pick(...USERS.slice(1))));
const by = (call: fc.Arbitrary<AnonymousCall>) =>
  fc.tuple(user, call).map(([who, rest]): Call => ({ user: who, ...rest }));

/** So that there is something to collide with. */
const first = fc.tuple(
  ...['a', 'b', 'a/a', 'a/b', 'b/a'].map((made) =>
    by(
      fc.record({
        call: pick('mkdir'),
        path: pick(made),
        mode: fc.oneof(often(3, pick(0o777)), often(1, mode)),
        umask: pick(0),
      }),
    ),
  ),
);

const calls = fc
  .tuple(
    fc.oneof(often(4, first), often(1, fc.constant([]))),
    fc.array(by(anyCall), { maxLength: CALLS_MAX, size: 'max' }),
  )
  .map((parts) => parts.flat());

/** Directory calls of several users, crowded into few names. */
export const sequences: fc.Arbitrary<Sequence> = fc.record({ mode: pick(0o777, 0o1777, 0o2777, 0o3777, 0o755), calls });

/**
 * The same by one user, of what libfuse 2 passes on: renames without flags, both times or none, both the present or none, in steps of a
 * second after the epoch, a chown that says something.
 */
export const plainSequences: fc.Arbitrary<Sequence> = sequences.map(({ mode: top, calls: made }) => ({
  mode: top,
  calls: made
    .map((call): Call => ({ ...call, user: USERS[0]!, ...(call.call === 'rename' && { flags: 0 }) }))
    .map((call) => (call.call === 'utimens' ? { ...call, ...plainTimes(call) } : call))
    .map((call) => (call['uid'] === -1 && call['gid'] === -1 ? { ...call, gid: 0 } : call)),
}));

function plainTimes({ atime, mtime }: Call): { readonly atime: unknown; readonly mtime: unknown } {
  if (atime === 'omit' || mtime === 'omit') return { atime: 'omit', mtime: 'omit' };
  if (atime === 'now' || mtime === 'now') return { atime: 'now', mtime: 'now' };
  const plain = (time: unknown) => (Array.isArray(time) ? [Math.max(1, Number(time[0])), 0] : time);
  return { atime: plain(atime), mtime: plain(mtime) };
}
