import { NAMESPACE_KINDS } from '../../src/namespaces.ts';

/** `ok`, or the name of the errno. */
type Verdict = string;

/** What a directory is before the attempt, all made by its owner. */
interface Setting {
  /** Of the directory; it has a container `in`, and is in one of mode 0755. */
  readonly mode?: number;
  readonly runs?: true;
  /** Run first by the owner, with `d` for the directory. */
  readonly before?: string;
}

/** One call, and what the owner of the directory gets, and another ordinary user. Python, with `d` for the directory. */
export interface Attempt extends Setting {
  readonly does: string;
  readonly owner: Verdict;
  readonly other: Verdict;
}

const OPEN = 0o777;
const STICKY = 0o1777;
const CLOSED = 0o700;

/** A call that changes names in the directory: by its mode alone. */
function inDirectory(does: string, more: Partial<Attempt> = {}): Attempt[] {
  return [
    { does, owner: 'ok', other: 'EACCES', ...more },
    { does, mode: OPEN, owner: 'ok', other: 'ok', ...more },
    { does, mode: CLOSED, owner: 'ok', other: 'EACCES', ...more },
  ];
}

/** The same, of a name that is there already and is the directory's owner's. */
function ofName(does: string): Attempt[] {
  return [...inDirectory(does), { does, mode: STICKY, owner: 'ok', other: 'EPERM' }];
}

/** A call that only looks. */
function looking(does: string, more: Partial<Attempt> = {}): Attempt[] {
  return [
    { does, owner: 'ok', other: 'ok', ...more },
    { does, mode: CLOSED, owner: 'ok', other: 'EACCES', ...more },
  ];
}

/** A call that is the owner's alone, whatever the mode. */
function owners(does: string): Attempt[] {
  return [CLOSED, 0o755, OPEN, STICKY].map((mode) => ({
    ...{ does, mode, owner: 'ok' },
    other: mode === CLOSED && !does.includes('(d,') ? 'EACCES' : 'EPERM',
  }));
}

/**
 * Why no attempt can be made: `connection`: it is between the kernel and the daemon, for no caller; `handle`: it is on what
 * was opened, where access was decided; `refused`: to everybody, root too, and the kernel answers by itself.
 */
type Reason = 'connection' | 'handle' | 'refused';

/** Every operation of the protocol (mount/device/ops/table.ts): its attempts, or why there is none to be made. */
export const OPERATION_PERMISSIONS: Readonly<Record<string, readonly Attempt[] | Reason>> = {
  LOOKUP: looking('os.lstat(d + "/in")'),
  GETATTR: looking('os.stat(d + "/in").st_size'),
  SETATTR: [
    ...owners('os.chmod(d, 0o711)'),
    ...owners('os.utime(d, (1, 1))'),
    ...owners('os.chmod(d + "/in", 0o711)'),
    { does: 'os.chown(d, 0, -1)', mode: OPEN, owner: 'EPERM', other: 'EPERM' },
    { does: 'os.utime(d)', owner: 'ok', other: 'EACCES' },
    { does: 'os.utime(d)', mode: OPEN, owner: 'ok', other: 'ok' },
  ],
  READLINK: looking('os.readlink(d + "/.cgroup")', { runs: true }),
  MKDIR: inDirectory('os.mkdir(d + "/new")'),
  MKNOD: inDirectory('os.mkfifo(d + "/new")').map(neverOk),
  CREATE: [
    ...inDirectory('os.close(os.open(d + "/new", os.O_CREAT | os.O_WRONLY))').map(neverOk),
    { does: 'write(d + "/.exit", "x")', mode: OPEN, owner: 'EINVAL', other: 'EACCES' },
    { does: 'write(d + "/.state", "running")', mode: OPEN, owner: 'ok', other: 'EACCES' },
  ],
  SYMLINK: [
    ...inDirectory('os.symlink("x", d + "/new")').map(neverOk),
    ...[0o755, OPEN, STICKY].map((mode) => ({
      ...{ does: 'os.symlink("x", d + "/.bundle")', mode, owner: 'ok', other: 'EACCES' },
    })),
    { does: 'os.symlink(d, ".proxy/%d" % stranger)', owner: 'EPERM', other: 'EPERM' },
    { does: 'os.symlink(d, ".proxy/%d" % other_sleeper)', runs: true, mode: OPEN, owner: 'EPERM', other: 'EPERM' },
    { does: 'os.symlink(d, ".proxy/%d" % own_sleeper())', runs: true, mode: OPEN, owner: 'ok', other: 'EPERM' },
    { does: 'os.symlink(d, ".proxy/%d" % own_sleeper())', runs: true, mode: CLOSED, owner: 'ok', other: 'EACCES' },
  ],
  LINK: [
    ...inDirectory('os.link(own + "/started/.state", d + "/new")').map(neverOk),
    { does: 'os.link(d + "/.nsproxy", ".proxy/%d" % own_sleeper())', runs: true, owner: 'ok', other: 'EPERM' },
    { does: 'os.link(d + "/.ns/uts", ".proxy/%d" % own_sleeper())', runs: true, owner: 'EPERM', other: 'EPERM' },
  ],
  UNLINK: [
    ...ofName('os.unlink(d + "/.error")').map((attempt) => ({
      ...attempt,
      before: 'quietly(lambda: write(d + "/.state", "x"))',
    })),
    { does: 'os.unlink(waiting(d))', before: 'os.symlink(d, waiting(d))', owner: 'ok', other: 'EPERM' },
    {
      does: 'os.unlink(".proxy/%d" % entered_in(d))',
      before: 'os.symlink(d, ".proxy/%d" % own_sleeper())',
      ...{ runs: true, owner: 'ok', other: 'EPERM' },
    },
  ],
  RMDIR: ofName('os.rmdir(d + "/in")'),
  RENAME: [
    ...ofName('os.rename(d + "/in", d + "/out")'),
    {
      does: 'os.rename(waiting(d), waiting(d) + "-renamed")',
      before: 'os.symlink(d, waiting(d))',
      ...{ owner: 'ok', other: 'EPERM' },
    },
    {
      does: 'os.symlink(own, waiting(d) + "-mine"); os.rename(waiting(d) + "-mine", waiting(d))',
      before: 'os.symlink(d, waiting(d))',
      ...{ owner: 'ok', other: 'EPERM' },
    },
  ],
  RENAME2: [
    ...ofName('rename2(d + "/in", d + "/out", 1)'),
    ...ofName('rename2(d + "/in", d + "/in", 0)').map(sameName),
  ],
  OPEN: [
    ...looking('os.close(os.open(d + "/.state", os.O_RDONLY))', { runs: true }),
    ...[0o755, OPEN, STICKY, CLOSED].map((mode) => ({
      ...{ does: 'os.close(os.open(d + "/.state", os.O_WRONLY))', runs: true as const, mode },
      ...{ owner: 'ok', other: 'EACCES' },
    })),
  ],
  READ: looking('open(d + "/.state").read()', { runs: true }),
  WRITE: [
    { does: 'write(d + "/.state", "frozen")', runs: true, mode: OPEN, owner: 'ok', other: 'EACCES' },
    { does: 'write(d + "/.state", "stopped")', runs: true, mode: OPEN, owner: 'ok', other: 'EACCES' },
    { does: 'write(d + "/.signal", "TERM")', runs: true, mode: OPEN, owner: 'ok', other: 'EACCES' },
    { does: 'write(d + "/.procs", str(own_sleeper()))', runs: true, mode: OPEN, owner: 'ok', other: 'EACCES' },
  ],
  READDIR: looking('os.listdir(d)'),
  READDIRPLUS: looking('[e.stat() for e in os.scandir(d)]', { runs: true }),
  STATFS: looking('os.statvfs(d + "/in")'),
  POLL: looking('poll(d + "/.events")', { runs: true }),
  FLUSH: 'handle',
  RELEASE: 'handle',
  INIT: 'connection',
  DESTROY: 'connection',
  INTERRUPT: 'connection',
  FORGET: 'connection',
  BATCH_FORGET: 'connection',
  NOTIFY_REPLY: 'connection',
  ...Object.fromEntries(
    [
      ...['OPENDIR', 'RELEASEDIR', 'FSYNC', 'FSYNCDIR', 'ACCESS', 'SETXATTR', 'GETXATTR', 'LISTXATTR', 'REMOVEXATTR'],
      ...['GETLK', 'SETLK', 'SETLKW', 'BMAP', 'IOCTL', 'FALLOCATE', 'LSEEK', 'COPY_FILE_RANGE', 'COPY_FILE_RANGE_64'],
      ...['SETUPMAPPING', 'REMOVEMAPPING', 'SYNCFS', 'TMPFILE', 'STATX'],
    ].map((name) => [name, 'refused'] as const),
  ),
};

/** Nothing but containers is made: who may write in the directory is told so. */
function neverOk(attempt: Attempt): Attempt {
  return { ...attempt, owner: 'EPERM', other: attempt.other === 'ok' ? 'EPERM' : attempt.other };
}

/** A name that stays what it is: the kernel looks at nothing but the way to it. */
function sameName(attempt: Attempt): Attempt {
  return { ...attempt, owner: 'ok', other: attempt.mode === CLOSED ? 'EACCES' : 'ok' };
}

interface EntryOptions extends Pick<Setting, 'before'> {
  /** How it is read. */
  readonly read: 'text' | 'link' | 'list';
  /** What is written, and what its owner gets; others never get so far. */
  readonly write?: readonly [text: string, owner: Verdict];
  /** What the owner, and whoever may search the directory, gets when he reads. */
  readonly reads?: { readonly owner: Verdict; readonly other: Verdict };
  /** What they get when they give it to root. */
  readonly gives?: { readonly owner: Verdict; readonly other: Verdict };
  /** What the owner gets when he takes the name away, and whoever may write in the directory. */
  readonly unlinks?: { readonly owner: Verdict; readonly open: Verdict };
}

const READS = { text: 'open(d + "/NAME").read()', link: 'os.readlink(d + "/NAME")', list: 'os.listdir(d + "/NAME")' };
const TAKES = { text: 'os.unlink(d + "/NAME")', link: 'os.unlink(d + "/NAME")', list: 'os.rmdir(d + "/NAME")' };

const NOWHERE = { owner: 'ENOENT', other: 'ENOENT' };
const REFUSED = { owner: 'EPERM', other: 'EPERM' };

/** A control entry in a container that runs, or was prepared by `before`. */
function entry(name: string, options: EntryOptions): Attempt[] {
  const { read, write, before, reads = { owner: 'ok', other: 'ok' }, gives = REFUSED } = options;
  const { unlinks = { owner: 'ok', open: 'ok' } } = options;
  const setting = { runs: true as const, ...(before !== undefined && { before }) };
  const does = (text: string) => text.replaceAll('NAME', name);
  const writes = [0o755, OPEN, CLOSED].map((mode) => ({
    ...{ ...setting, mode, does: does(`write(d + "/NAME", ${JSON.stringify(write?.[0] ?? 'x')})`) },
    ...{ owner: write?.[1] ?? 'EACCES', other: 'EACCES' },
  }));
  const takes = (mode: number, other: Verdict) => ({
    ...{ ...setting, mode, does: does(TAKES[read]), owner: unlinks.owner, other },
  });
  return [
    { ...setting, does: does(READS[read]), ...reads },
    { ...setting, mode: CLOSED, does: does(READS[read]), owner: reads.owner, other: 'EACCES' },
    ...(read === 'text' ? writes : []),
    { ...setting, mode: OPEN, does: does('os.chown(d + "/NAME", 0, 0, follow_symlinks=False)'), ...gives },
    ...[takes(0o755, 'EACCES'), takes(STICKY, 'EPERM'), takes(OPEN, unlinks.open), takes(CLOSED, 'EACCES')],
  ];
}

/** Every control entry (src/tree/control/table.ts), and those of `.ns`. */
export const ENTRY_PERMISSIONS: Readonly<Record<string, readonly Attempt[]>> = {
  '.state': entry('.state', { read: 'text', write: ['running', 'ok'] }),
  '.init': entry('.init', { read: 'link' }),
  '.nsproxy': entry('.nsproxy', { read: 'text' }),
  '.ns': [
    ...entry('.ns', { read: 'list', unlinks: { owner: 'ENOTEMPTY', open: 'ENOTEMPTY' } }),
    { does: 'os.mkdir(d + "/.ns")', mode: OPEN, owner: 'ok', other: 'EACCES' },
  ],
  '.procs': entry('.procs', { read: 'text', write: ['x', 'EINVAL'] }),
  '.stat': entry('.stat', { read: 'text' }),
  '.signal': entry('.signal', { read: 'text', write: ['x', 'EINVAL'], reads: { owner: 'EACCES', other: 'EACCES' } }),
  '.events': entry('.events', { read: 'text' }),
  '.exit': entry('.exit', { read: 'text', before: 'write(d + "/.state", "stopped")' }),
  '.error': entry('.error', { read: 'text', before: 'quietly(lambda: write(d + "/.state", "x"))' }),
  '.bundle': entry('.bundle', {
    read: 'link',
    before: 'stopped_with_bundle(d)',
    unlinks: { owner: 'ok', open: 'EACCES' },
  }),
  '.cgroup': entry('.cgroup', { read: 'link' }),
  // It leads nowhere for who is not in the container.
  '.self': entry('.self', { read: 'link', reads: NOWHERE, gives: NOWHERE }),
  '.proxy': entry('.proxy', { read: 'list', unlinks: { owner: 'EBUSY', open: 'EBUSY' } }),
  '.checkpoint': entry('.checkpoint', { read: 'list', reads: { owner: 'ok', other: 'EACCES' } }),
  '.origin': [{ does: 'open(d + "/.origin")', runs: true, owner: 'ENOENT', other: 'ENOENT' }],
  '.unshown': [{ does: 'open(d + "/.unshown")', runs: true, owner: 'ENOENT', other: 'ENOENT' }],
  ...Object.fromEntries(NAMESPACE_KINDS.map(({ kind }) => [`.ns/${kind}`, wishes(kind)])),
};

/** `.ns/KIND`: before the start a wish of the owner's; then a link. */
function wishes(kind: string): Attempt[] {
  const wish = `os.mkdir(d + "/.ns"); write(d + "/.ns/${kind}", "")`;
  return [
    { does: `os.readlink(d + "/.ns/${kind}")`, runs: true, owner: 'ok', other: 'ok' },
    { does: `os.readlink(d + "/.ns/${kind}")`, runs: true, mode: CLOSED, owner: 'ok', other: 'EACCES' },
    { does: wish, owner: 'ok', other: 'EACCES' },
    { does: wish, mode: OPEN, owner: 'ok', other: 'EACCES' },
  ];
}
