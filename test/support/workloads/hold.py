"""hold.py KIND FILE DISK: holds something of the kernel's, and adds a line "NUMBER STATE" to FILE every 50 ms, for ever."""
import ctypes, fcntl, mmap, os, select, signal, socket, sys, threading, time

kind, report, disk = sys.argv[1:]
libc = ctypes.CDLL(None, use_errno=True)


def cpu():
    total = [0]

    def check():
        for _ in range(200000):
            total[0] += 1
        return "busy"

    return check


def tree():
    """Five processes in one another, each with a pipe to the next: a token goes round."""
    down = up = None
    for _ in range(4):
        to_child, from_child = os.pipe(), os.pipe()
        if os.fork() == 0:
            down, up = to_child[0], from_child[1]
            inner = None
            continue
        inner = (to_child[1], from_child[0])
        break
    else:
        inner = None

    def round_trip(token):
        if inner is None:
            return token + b"."
        os.write(inner[0], token)
        return os.read(inner[1], 64) + b"."

    if down is not None:
        while True:
            os.write(up, round_trip(os.read(down, 64)))
    return lambda: "token" + round_trip(b"x").decode()


def tcp():
    server = socket.create_server(("127.0.0.1", 0))

    def serve():
        peer, _ = server.accept()
        while True:
            peer.sendall(peer.recv(64).upper())

    threading.Thread(target=serve, daemon=True).start()
    client = socket.create_connection(server.getsockname())

    def check():
        client.sendall(b"ping")
        return client.recv(64).decode() + str(server.getsockname()[1])

    return check


def threads():
    counts = [0, 0, 0]

    def count(index):
        while True:
            counts[index] += 1
            time.sleep(0.001)

    for index in range(3):
        threading.Thread(target=count, args=(index,), daemon=True).start()
    last = list(counts)

    def check():
        time.sleep(0.05)
        moved = [now > before for now, before in zip(counts, last)]
        last[:] = counts
        return f"{threading.active_count()} threads {all(moved)}"

    return check


def tmpfs():
    for name in ("/dev/shm/held", "/run/held"):
        with open(name, "w") as file:
            file.write("kept in memory")
        os.chmod(name, 0o640)
    return lambda: open("/dev/shm/held").read() + open("/run/held").read() + oct(os.stat("/run/held").st_mode)


def deleted():
    file = open(disk + "/deleted", "w+")
    file.write("nobody else has this")
    file.flush()
    os.unlink(disk + "/deleted")

    def check():
        file.seek(0)
        return f"{file.read()} {os.fstat(file.fileno()).st_nlink}"

    return check


def unix():
    one, two = socket.socketpair()
    named = socket.socket(socket.AF_UNIX)
    named.bind("/run/held.sock")
    named.listen()
    client = socket.socket(socket.AF_UNIX)
    client.connect("/run/held.sock")
    server, _ = named.accept()

    def check():
        one.send(b"pair")
        client.send(b"named")
        return two.recv(9).decode() + server.recv(9).decode()

    return check


def lock():
    posix, bsd = open(disk + "/posix", "w"), open(disk + "/bsd", "w")
    fcntl.lockf(posix, fcntl.LOCK_EX)
    fcntl.flock(bsd, fcntl.LOCK_EX)

    def is_locked(lock_one, name):
        pid = os.fork()
        if pid == 0:
            try:
                lock_one(open(disk + name, "w"), fcntl.LOCK_EX | fcntl.LOCK_NB)
                os._exit(0)
            except OSError:
                os._exit(1)
        return os.waitpid(pid, 0)[1] != 0

    def check():
        assert not posix.closed and not bsd.closed
        return f"{is_locked(fcntl.lockf, '/posix')} {is_locked(fcntl.flock, '/bsd')}"

    return check


def timer():
    ticks = [0]
    signal.signal(signal.SIGALRM, lambda *_: ticks.__setitem__(0, ticks[0] + 1))
    signal.setitimer(signal.ITIMER_REAL, 0.01, 0.01)
    event = libc.eventfd(0, 0)
    timerfd = libc.timerfd_create(1, 0)
    libc.timerfd_settime(timerfd, 0, (ctypes.c_long * 4)(0, 10_000_000, 0, 10_000_000), None)
    poll = select.epoll()
    poll.register(event, select.EPOLLIN)
    poll.register(timerfd, select.EPOLLIN)

    def check():
        before = ticks[0]
        os.write(event, (1).to_bytes(8, "little"))
        deadline = time.monotonic() + 5
        seen = set()
        while (ticks[0] == before or len(seen) < 2) and time.monotonic() < deadline:
            for fd, _ in poll.poll(0.05):
                seen.add(fd)
                os.read(fd, 8)
        return f"{len(seen)} ready {ticks[0] > before}"

    return check


def shm():
    shared = mmap.mmap(-1, 4096)
    if os.fork() == 0:
        while True:
            shared[8:16] = shared[0:8]
            time.sleep(0.001)
    number = [0]

    def check():
        number[0] += 1
        shared[0:8] = number[0].to_bytes(8, "little")
        deadline = time.monotonic() + 5
        while shared[8:16] != shared[0:8] and time.monotonic() < deadline:
            time.sleep(0.001)
        return f"shared {shared[8:16] == shared[0:8]}"

    return check


def namespaces():
    """A child with mounts and a network of its own."""
    ask, answer = os.pipe(), os.pipe()
    if os.fork() == 0:
        assert libc.unshare(0x00020000 | 0x40000000) == 0
        assert libc.mount(b"none", b"/", None, (1 << 18) | (1 << 14), None) == 0
        assert libc.mount(b"own", b"/mnt", b"tmpfs", 0, None) == 0
        open("/mnt/own", "w").write("own mount")
        while True:
            os.read(ask[0], 1)
            # Not by netlink: criu refuses a socket of that with an answer that was not read yet.
            names = [line.split(":")[0].strip() for line in open("/proc/self/net/dev").readlines()[2:]]
            own = open("/mnt/own").read() + " " + ",".join(names)
            os.write(answer[1], own.encode())

    def check():
        os.write(ask[1], b"x")
        return os.read(answer[0], 100).decode() + str(os.path.exists("/mnt/own"))

    return check


check = globals()[kind]()
number = 0
while True:
    number += 1
    state = check()
    with open(report, "a") as file:
        file.write(f"{number} {state}\n")
    time.sleep(0.05)
