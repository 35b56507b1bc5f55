"""A random tree of processes that make namespaces, and the truth about it.

usage: random-tree.py SEED FILE

Every process appends lines to FILE when it comes into a set of namespaces, `PID STARTTIME SET PARENT`: its start time as
proc_pid_stat(5) has it, and the ids of the set and of the one that it was made in. Set 0 is the machine's. Those that are left at the end sleep; when all do, their parent, this program, prints `ready`, and kills all
when its standard input ends.
"""

import ctypes
import os
import random
import signal
import sys
import time

SEED, FILE = int(sys.argv[1]), sys.argv[2]
KINDS = [0x00020000, 0x04000000, 0x08000000]  # mnt, uts, ipc
SYS_CLONE = {"x86_64": 56, "aarch64": 220}[os.uname().machine]
libc = ctypes.CDLL(None, use_errno=True)
out = os.open(FILE, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
# Every process holds its writing end until it sleeps or leaves: its end says that nothing changes any more.
settled, unsettled = os.pipe()
made = 0


def note(own, parent):
    with open("/proc/self/stat") as stat:
        start = stat.read().rpartition(")")[2].split()[19]
    os.write(out, f"{os.getpid()} {start} {own} {parent}\n".encode())


def fresh_id():
    """Unique among all processes without talking to them."""
    global made
    made += 1
    return f"{os.getpid()}.{time.monotonic_ns()}.{made}"


def pause(random_):
    time.sleep(random_.choice([0, 0, 0.001, 0.005, 0.02]))


def live(random_, depth, own, parent):
    """A process of the set `own`: does some things, then sleeps or leaves."""
    note(own, parent)
    for _ in range(random_.randint(1, 3)):
        pause(random_)
        deed = random_.choice(["fork", "fork", "unshare-child", "clone", "unshare", "orphan", "setns"])
        seed = random_.random()
        if deed == "unshare" and depth < 5:
            libc.unshare(random_.choice(KINDS))
            own, parent = fresh_id(), own
            note(own, parent)
        elif deed == "setns":
            # Its own namespace again: nothing changes.
            fd = os.open("/proc/self/ns/uts", os.O_RDONLY)
            libc.setns(fd, 0)
            os.close(fd)
        elif deed == "clone" and depth < 5:
            flag = random_.choice(KINDS)
            if libc.syscall(SYS_CLONE, flag | signal.SIGCHLD, 0, 0, 0, 0) == 0:
                child(seed, depth + 1, fresh_id(), own)
        elif depth < 5:
            pid = os.fork()
            if pid == 0:
                inner = random.Random(seed)
                pause(inner)
                if deed == "orphan":
                    # Its maker goes on to leave: what it makes has nobody above it.
                    if os.fork() > 0:
                        os._exit(0)
                    pause(inner)
                if deed != "fork":
                    libc.unshare(inner.choice(KINDS))
                    child(seed, depth + 1, fresh_id(), own)
                child(seed, depth + 1, own, parent)
    if depth > 0 and random_.random() < 0.3:
        os._exit(0)
    os.close(unsettled)
    while True:
        signal.pause()


def child(seed, depth, own, parent):
    live(random.Random(seed), depth, own, parent)


os.setsid()
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
for index in range(4):
    if os.fork() == 0:
        child(SEED * 100 + index, 0, "0", "-")
os.close(unsettled)
os.read(settled, 1)
print("ready", flush=True)
sys.stdin.read()
signal.signal(signal.SIGTERM, signal.SIG_IGN)
os.killpg(0, signal.SIGKILL)
