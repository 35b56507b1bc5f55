"""Makes COUNT sets of namespaces, a process in each, all of USER. Prints `made` and ends with all of them when its standard
input does; a line ends one of them.

usage: many-sets.py USER COUNT
"""

import ctypes
import os
import signal
import sys

user, count = int(sys.argv[1]), int(sys.argv[2])
libc = ctypes.CDLL(None)
CLONE_NEWUTS = 0x04000000
PR_SET_PDEATHSIG = 1
ready, told = os.pipe()
children = []
for _ in range(count):
    pid = os.fork()
    if pid == 0:
        if libc.unshare(CLONE_NEWUTS) != 0:
            os._exit(1)
        os.setuid(user)
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        os.write(told, b"x")
        while True:
            signal.pause()
    children.append(pid)
seen = 0
while seen < count:
    seen += len(os.read(ready, count))
print("made", flush=True)
for _ in sys.stdin:
    pid = children.pop()
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
