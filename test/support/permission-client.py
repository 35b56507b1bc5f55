"""One user who goes through the table of permissions (test/support/permissions.ts).

usage: permission-client.py OWN OTHER STRANGER      in the mount point

OWN and OTHER are directories of this user's and of another's, STRANGER is a process of neither. Reads the attempts as one line
of JSON, then, a line each: `prepare`, to make what they need in OWN; `other PID`, to try them in OTHER, PID being a process of
the other's; `own`, to try them in OWN. Answers each with a line of JSON: for `prepare` the pid of a process, else what each
attempt gave: `ok`, or the name of an errno.
"""
import ctypes
import errno
import json
import os
import select
import subprocess
import sys

own, other, stranger = sys.argv[1], sys.argv[2], int(sys.argv[3])
attempts = json.loads(sys.stdin.readline())
sleepers = []
other_sleeper = 0


def own_sleeper():
    sleepers.append(subprocess.Popen(["sleep", "100"]))
    return sleepers[-1].pid


def write(path, text):
    fd = os.open(path, os.O_WRONLY | os.O_CREAT, 0o644)
    try:
        if text:
            os.write(fd, text.encode())
    finally:
        os.close(fd)


def rename2(source, target, flags):
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.renameat2(-100, os.fsencode(source), -100, os.fsencode(target), flags):
        raise OSError(ctypes.get_errno(), source)


def poll(path):
    fd = os.open(path, os.O_RDONLY)
    try:
        poller = select.poll()
        poller.register(fd, select.POLLIN)
        poller.poll(0)
    finally:
        os.close(fd)


def quietly(action):
    try:
        action()
    except OSError:
        pass


def waiting(d):
    return ".proxy/of-" + d.replace("/", "-")


def entered_in(d):
    return int(open(d + "/.procs").read().split()[-1])


def stopped_with_bundle(d):
    write(d + "/.state", "stopped")
    os.symlink("/nonesuch", d + "/.bundle")


def do(text, d):
    exec(text, {**globals(), "d": d})


def prepare(attempt, d):
    os.mkdir(d)
    os.mkdir(d + "/in")
    if attempt.get("runs"):
        write(d + "/.state", "running")
    if "before" in attempt:
        do(attempt["before"], d)
    os.chmod(d, attempt.get("mode", 0o755))


def verdict(attempt, d):
    try:
        do(attempt["does"], d)
        return "ok"
    except OSError as error:
        return errno.errorcode.get(error.errno, str(error))


os.umask(0o022)
for line in sys.stdin:
    word, *rest = line.split()
    if word == "prepare":
        os.mkdir(own + "/started")
        write(own + "/started/.state", "running")
        for number, attempt in enumerate(attempts):
            for whose in ["own", "other"]:
                prepare(attempt, f"{own}/{number}-{whose}")
        answer = own_sleeper()
    else:
        other_sleeper = int(rest[0]) if rest else other_sleeper
        base = own if word == "own" else other
        answer = [verdict(attempt, f"{base}/{number}-{word}") for number, attempt in enumerate(attempts)]
    print(json.dumps(answer), flush=True)
for sleeper in sleepers:
    sleeper.kill()
