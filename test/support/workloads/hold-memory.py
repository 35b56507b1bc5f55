"""Holds argv[1] MiB of memory that is really there, for ever. Says "ready" in the file argv[2]."""
import sys
import time

held = bytearray(int(sys.argv[1]) << 20)
for page in range(0, len(held), 4096):
    held[page] = 1
with open(sys.argv[2], "w") as file:
    file.write("ready\n")
time.sleep(1000)
