"""hammer.py CLIENTS OPERATIONS: so many threads look at what is in the directory they are in, all at once.

An operation is a stat, or an open with a read and a close. Ends when all of them were done, and says how many failed.
"""
import os
import sys
import threading


def look(count, failed):
    for number in range(count):
        try:
            if number % 2:
                os.stat(".state")
            else:
                fd = os.open(".state", os.O_RDONLY)
                os.read(fd, 100)
                os.close(fd)
        except OSError as error:
            failed.append(error)


clients, operations = map(int, sys.argv[1:])
failed = []
threads = [threading.Thread(target=look, args=(operations // clients, failed)) for _ in range(clients)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(len(failed), "failed", *failed[:3])
sys.exit(1 if failed else 0)
