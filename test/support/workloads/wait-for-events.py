"""Reads argv[2] to its end, says "waiting", then waits by argv[1], poll or epoll, and prints each event that comes; ends
with the first event named argv[3]. A wait of more than 5 s, or readable without anything to read, ends it with status 1."""
import select
import sys
import time

LIMIT_MS = 10_000
how, path, last = sys.argv[1:]
with open(path, "rb", buffering=0) as stream:
    while stream.read(65536):
        pass
    if how == "poll":
        poller = select.poll()
        poller.register(stream, select.POLLIN)
        wait = lambda: poller.poll(LIMIT_MS)
    else:
        poller = select.epoll()
        poller.register(stream, select.EPOLLIN)
        wait = lambda: poller.poll(LIMIT_MS / 1000)
    print("waiting", flush=True)
    while True:
        begun = time.monotonic()
        # At its limit the kernel asks once more, so that it may be readable although nobody woke us.
        if not wait() or time.monotonic() - begun > LIMIT_MS / 2000:
            sys.exit("nothing became readable in time")
        text = stream.read(65536)
        if not text:
            sys.exit("readable, but at its end")
        for line in text.decode().splitlines():
            _, event, *rest = line.split("\t")
            print(event, *rest, flush=True)
            if event == last:
                sys.exit(0)
