"""Makes directory calls as various users and tells what came of each, one JSON line for each line read.

A line read is {"base": DIRECTORY, "mode": MODE, "calls": [CALL, ...]}: the calls are made in a new directory of that
mode below DIRECTORY, which is removed afterwards. A call is {"user": [UID, GID, [GROUP, ...]], "call": NAME, ...}, its
other keys being those of the function of that name below. The answer is a list of [OUTCOME, TREE], one for each call: an
errno's name, or what the call returned; and afterwards all directories as root sees them.

With --model, DIRECTORY is the root of a tmpfs, and whatever would become anything but a directory is ENOSPC: the tmpfs
is told that it has no inodes left, so every error that comes before the making itself stays what it is.
"""

import ctypes
import errno
import json
import os
import stat
import sys
import time

AT_FDCWD = -100
UTIME_NOW, UTIME_OMIT = (1 << 30) - 1, (1 << 30) - 2
MS_REMOUNT, MS_NOATIME = 32, 1024
CLOCK_REALTIME_COARSE = 5
INODES = 100000
# Times before this are those a call asked for, later ones are the clock's.
CLOCK_TIMES_NS = 1_500_000_000 * 10**9
TYPES = {'reg': stat.S_IFREG, 'fifo': stat.S_IFIFO, 'sock': stat.S_IFSOCK, 'chr': stat.S_IFCHR, 'blk': stat.S_IFBLK}

libc = ctypes.CDLL(None, use_errno=True)
model = '--model' in sys.argv


class Timespec(ctypes.Structure):
    _fields_ = [('sec', ctypes.c_long), ('nsec', ctypes.c_long)]


def checked(result):
    if result != 0:
        raise OSError(ctypes.get_errno(), '')


def rename(path, to, flags):
    checked(libc.renameat2(AT_FDCWD, os.fsencode(path), AT_FDCWD, os.fsencode(to), flags))


def timespec(wanted):
    if wanted == 'omit':
        return Timespec(0, UTIME_OMIT)
    if wanted == 'now':
        return Timespec(0, UTIME_NOW)
    return Timespec(*wanted)


def utimens(path, atime, mtime):
    checked(libc.utimensat(AT_FDCWD, os.fsencode(path), (Timespec * 2)(timespec(atime), timespec(mtime)), 0))


def mkdir(path, mode, umask):
    before = os.umask(umask)
    try:
        os.mkdir(path, mode)
    finally:
        os.umask(before)


def open_file(path, flags, mode):
    os.close(os.open(path, sum(getattr(os, flag) for flag in flags), mode))


def access(path, mode):
    return os.access(path, mode, effective_ids=True)


def names(path):
    return sorted(name for name in os.listdir(path) if not name.startswith('.'))


def look(path):
    status = os.lstat(path)
    return [oct(status.st_mode), status.st_uid, status.st_gid, status.st_nlink]


CALLS = {
    'mkdir': mkdir,
    'rmdir': os.rmdir,
    'rename': rename,
    'chmod': os.chmod,
    'chown': os.chown,
    'utimens': utimens,
    'open': open_file,
    'mknod': lambda path, type, mode: os.mknod(path, TYPES[type] | mode, os.makedev(1, 3)),
    'symlink': lambda target, path: os.symlink(target, path),
    'link': lambda path, to: os.link(path, to),
    'unlink': os.unlink,
    'truncate': lambda path: os.truncate(path, 0),
    'access': access,
    'list': names,
    'stat': look,
    'readlink': os.readlink,
    'chdir': os.chdir,
}
MAKING = {'open', 'mknod', 'symlink', 'link'}


class Tree:
    """The directories below an open one, with what a stat tells of each, in words that are the same on every run."""

    def __init__(self, top):
        self.top = top
        self.labels = {}
        self.times = {}

    def describe(self, step):
        found = {}
        self.visit('', self.top, step, found)
        return found

    def visit(self, path, directory, step, found):
        found[path or '.'] = self.words(os.fstat(directory), step)
        for name in sorted(os.listdir(directory)):
            if name.startswith('.'):
                continue
            inner = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=directory)
            try:
                self.visit(f'{path}/{name}', inner, step, found)
            finally:
                os.close(inner)

    def words(self, status, step):
        # Inode numbers become the order in which they were first seen.
        label = self.labels.setdefault(status.st_ino, len(self.labels))
        times = [status.st_atime_ns, status.st_mtime_ns, status.st_ctime_ns]
        return {
            'inode': label,
            'mode': oct(status.st_mode),
            'owner': [status.st_uid, status.st_gid],
            'nlink': status.st_nlink,
            'size': status.st_size,
            'times': [self.changed((status.st_ino, which), at, step) for which, at in enumerate(times)],
            'equal': [times[0] == times[1], times[1] == times[2]],
        }

    def changed(self, key, at, step):
        """A time that was asked for, or the step at which the clock's time came to be."""
        if at < CLOCK_TIMES_NS:
            return f'={at}'
        if self.times.get(key, (None,))[0] != at:
            self.times[key] = (at, step)
        return self.times[key][1]


def become(uid, gid, groups):
    os.setresuid(-1, 0, -1)
    os.setgroups(groups)
    os.setresgid(-1, gid, -1)
    os.setresuid(-1, uid, -1)


def limit_inodes(mount_point, count):
    data = f'nr_inodes={count}'.encode()
    checked(libc.mount(b'none', os.fsencode(mount_point), None, MS_REMOUNT | MS_NOATIME, data))


def attempt(base, call):
    arguments = {key: value for key, value in call.items() if key not in ('user', 'call', 'foreign')}
    full = model and (call['call'] in MAKING or call.get('foreign', False))
    if full:
        left = os.statvfs(base)
        limit_inodes(base, left.f_files - left.f_ffree)
    become(*call['user'])
    try:
        return ['ok', CALLS[call['call']](**arguments)]
    except OSError as error:
        return errno.errorcode[error.errno]
    finally:
        become(0, 0, [])
        if full:
            limit_inodes(base, INODES)


def wait_for_clock(tick):
    before = time.clock_gettime(CLOCK_REALTIME_COARSE)
    time.sleep(0.0011)
    while tick and time.clock_gettime(CLOCK_REALTIME_COARSE) == before:
        time.sleep(0.0005)


def tells_all_changes(base):
    """Whether two changes in a row have two times, or only if the coarse clock ticked in between."""
    seen = set()
    for round in range(10):
        os.mkdir(f'{base}/probe')
        seen.add(os.stat(base).st_mtime_ns)
        os.rmdir(f'{base}/probe')
        seen.add(os.stat(base).st_mtime_ns)
    return len(seen) == 20


def remove(directory):
    for name in os.listdir(directory):
        try:
            os.rmdir(name, dir_fd=directory)
        except NotADirectoryError:
            os.unlink(name, dir_fd=directory)
        except OSError as error:
            if error.errno != errno.ENOTEMPTY:
                raise
            inner = os.open(name, os.O_RDONLY | os.O_DIRECTORY, dir_fd=directory)
            remove(inner)
            os.close(inner)
            os.rmdir(name, dir_fd=directory)


def run(base, mode, calls, tick):
    name = f'{base}/top'
    os.mkdir(name)
    wait_for_clock(tick)
    os.chmod(name, mode)
    top = os.open(name, os.O_RDONLY | os.O_DIRECTORY)
    tree = Tree(top)
    tree.describe(-1)
    results = []
    try:
        os.fchdir(top)
        for step, call in enumerate(calls):
            if call['call'] == 'home':
                os.fchdir(top)
                results.append(['ok', {}])
                continue
            wait_for_clock(tick)
            results.append([attempt(base, call), tree.describe(step)])
    finally:
        os.chdir('/')
        remove(top)
        os.close(top)
        os.rmdir(name)
    return results


os.umask(0)
for line in sys.stdin:
    request = json.loads(line)
    tick = model and not tells_all_changes(request['base'])
    print(json.dumps(run(request['base'], request['mode'], request['calls'], tick)), flush=True)
