"""terminal.py LINES COMMAND...: runs a command on a terminal of 33 x 77, and types.

LINES is a JSON list of "TEXT|EXPECTED": each is typed when what went before has been seen, and EXPECTED, or a pause where
there is none, is waited for. "RESIZE ROWS COLUMNS" sets the size instead; nothing is typed without a TEXT, and EXPECTED may
have been seen already. Shows what the command showed, and its status.
"""
import fcntl
import json
import os
import pty
import select
import struct
import sys
import termios
import time

LIMIT_S = 15
PAUSE_S = 0.5


def main(lines, command):
    pid, terminal = pty.fork()
    if pid == 0:
        # The size is set before the command looks.
        os.read(0, 1)
        os.execvp(command[0], command)
    resize(terminal, 33, 77)
    os.write(terminal, b"\n")
    shown = bytearray()
    wait_for(terminal, shown, 0, None, 2)
    for line in lines:
        text, _, expected = line.partition("|")
        seen = len(shown) if text else 0
        if not text:
            pass
        elif text.startswith("RESIZE"):
            resize(terminal, *map(int, text.split()[1:]))
        elif ord(text[0]) < 32:
            os.write(terminal, text.encode())
        else:
            os.write(terminal, text.encode() + b"\n")
        wait_for(terminal, shown, seen, expected.encode() or None, LIMIT_S if expected else PAUSE_S)
    wait_for(terminal, shown, len(shown), b"never", LIMIT_S)
    _, status = os.waitpid(pid, 0)
    print(shown.decode(errors="replace"))
    print("status", os.waitstatus_to_exitcode(status))


def resize(terminal, rows, columns):
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


def wait_for(terminal, shown, start, expected, limit):
    """Until EXPECTED is shown behind `start`, the command has ended, or the limit is over."""
    end = time.monotonic() + limit
    while time.monotonic() < end:
        if expected is not None and expected in shown[start:]:
            return
        ready, _, _ = select.select([terminal], [], [], 0.05)
        if not ready:
            continue
        try:
            more = os.read(terminal, 4096)
        except OSError:
            return
        if not more:
            return
        shown += more


main(json.loads(sys.argv[1]), sys.argv[2:])
