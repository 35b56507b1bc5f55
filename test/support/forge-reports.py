"""Forges reports of inits to the launcher: looks for first processes of pid namespaces until one lets its channel be taken.

Prints a line `nothing taken` if it is ended by SIGTERM before; else `taken`, then what became of a process whose number it
told the launcher as that of an init, before it told an error: `lives` or `killed`.
"""

import ctypes
import os
import select
import signal
import socket
import struct
import sys
import time

PIDFD_GETFD = 438
DESCRIPTORS = range(3, 16)
HELLO = -1
WAIT_S = 5
# Within this the launcher has read what an init had said before it was stopped, and lets go of it.
READ_MS = 100

libc = ctypes.CDLL(None, use_errno=True)


def report(error):
    return struct.pack("i60s", error, b"forged\n")


def is_init(pid):
    try:
        with open(f"/proc/{pid}/status") as status:
            for line in status:
                if line.startswith("NSpid:"):
                    return len(line.split()) > 2 and line.split()[-1] == "1"
    except OSError:
        pass
    return False


def channel_of(pidfd):
    for number in DESCRIPTORS:
        fd = libc.syscall(PIDFD_GETFD, pidfd, number, 0)
        if fd < 0:
            continue
        try:
            taken = socket.socket(fileno=fd)
            if taken.family == socket.AF_UNIX and taken.type == socket.SOCK_SEQPACKET:
                return taken
            taken.close()
        except OSError:
            os.close(fd)
    return None


def is_too_late(channel):
    """Whether the init whose channel this is had said before that it is ready: nobody reads it any more."""
    gone = select.poll()
    gone.register(channel, 0)
    return bool(gone.poll(READ_MS))


def take(pid):
    """The channel of an init that is not ready, which is stopped again and again while it comes to be."""
    try:
        pidfd = os.pidfd_open(pid)
    except OSError:
        return None
    ended = select.poll()
    ended.register(pidfd, select.POLLIN)
    try:
        end = time.monotonic() + WAIT_S
        while time.monotonic() < end and not ended.poll(0):
            signal.pidfd_send_signal(pidfd, signal.SIGSTOP)
            channel = channel_of(pidfd)
            if channel and not is_too_late(channel):
                return channel
            signal.pidfd_send_signal(pidfd, signal.SIGCONT)
            with open(f"/proc/{pid}/comm") as name, open(f"/proc/{pid}/wchan") as where:
                if name.read() == "nsdir-init\n" and "poll" in where.read():
                    return None
    except OSError:
        pass
    finally:
        os.close(pidfd)
    return None


def forge(channel):
    victim = os.fork()
    if victim == 0:
        try:
            for _ in range(100):
                channel.send(report(HELLO))
        except OSError:
            pass
        while True:
            signal.pause()
    time.sleep(0.2)
    try:
        channel.send(report(1))
    except OSError:
        pass
    time.sleep(0.5)
    if os.waitpid(victim, os.WNOHANG)[0]:
        return "killed"
    os.kill(victim, signal.SIGKILL)
    return "lives"


def give_up(*_):
    print("nothing taken", flush=True)
    os._exit(0)


signal.signal(signal.SIGTERM, give_up)
known = set(os.listdir("/proc"))
open(sys.argv[1], "w").close()
while True:
    for name in set(os.listdir("/proc")) - known:
        if not name.isdigit() or not is_init(int(name)):
            continue
        known.add(name)
        channel = take(int(name))
        if channel:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            print("taken", flush=True)
            print(forge(channel), flush=True)
            sys.exit()
