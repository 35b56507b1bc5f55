"""Has a daemon be killed at the moment at which it takes a request, after it made a process.

usage: killed-while-reading.py MOUNTPOINT CONTAINER DAEMON

Prints the name of the errno with which the request, a stat of a name that is not there, ends. Processors are given out so
that the daemon is woken by the request, and does not run before it is dead.
"""

import errno
import os
import signal
import subprocess
import sys
import threading
import time

MOUNTPOINT, CONTAINER, DAEMON = sys.argv[1], sys.argv[2], int(sys.argv[3])
OUR_CPU, *_, ITS_CPU = sorted(os.sched_getaffinity(0))
answers = []


def ask():
    try:
        os.stat(f"{MOUNTPOINT}/nosuch-{os.getpid()}")
    except OSError as error:
        answers.append(errno.errorcode[error.errno])


def keep_busy():
    signal.alarm(2)
    os.sched_setaffinity(0, {ITS_CPU})
    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(50))
    while True:
        pass


daemon = os.pidfd_open(DAEMON)
for task in os.listdir(f"/proc/{DAEMON}/task"):
    os.sched_setaffinity(int(task), {ITS_CPU})
os.sched_setaffinity(0, {OUR_CPU})
# The first that enters has the daemon start a tracer.
target = subprocess.Popen(["sleep", "1000"])
os.symlink(f"{MOUNTPOINT}/{CONTAINER}", f"{MOUNTPOINT}/.proxy/{target.pid}")
time.sleep(0.05)
busy = os.fork()
if busy == 0:
    keep_busy()
try:
    time.sleep(0.02)
    asking = threading.Thread(target=ask)
    asking.start()
    time.sleep(0.01)
    signal.pidfd_send_signal(daemon, signal.SIGKILL)
    time.sleep(0.01)
finally:
    os.kill(busy, signal.SIGKILL)
    os.waitpid(busy, 0)
    target.kill()
asking.join()
print(*answers)
