"""Appends the number of each real-time signal it gets to the file argv[1], which says "ready" first."""
import signal
import sys


def note(number, _frame):
    with open(sys.argv[1], "a") as file:
        file.write(f"{number}\n")


for number in range(signal.SIGRTMIN, signal.SIGRTMIN + 4):
    signal.signal(number, note)
with open(sys.argv[1], "a") as file:
    file.write("ready\n")
while True:
    signal.pause()
