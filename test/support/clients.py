"""Clients of a mounted tree, one process each, each in a directory of its own, for some seconds.

usage: clients.py SECONDS CLIENT…       in the mount point; CLIENT is a name of CLIENTS below

Prints JSON: {"done": {CLIENT: rounds}, "made": [path], "errors": [[CLIENT, what, errno name, message]]}. Whatever a
client is not told as it would be by tmpfs is an error, every errno among them.
"""
import errno
import json
import os
import shutil
import subprocess
import sys
import time

PAUSE_S = 0.04


class Client:
    def __init__(self, name, deadline):
        self.name = name
        self.home = "of-" + name
        self.deadline = deadline
        self.rounds = 0
        self.made = []
        self.errors = []

    def say(self, what, error):
        code = errno.errorcode.get(getattr(error, "errno", None), "-")
        self.errors.append([self.name, what, code, str(error)])

    def mkdir(self, path):
        os.mkdir(path)
        self.made.append(path)

    def expect(self, what, found, wanted):
        if found != wanted:
            self.say(what, ValueError(f"{found!r}, not {wanted!r}"))

    def run(self, work):
        self.mkdir(self.home)
        while time.monotonic() < self.deadline:
            try:
                work(self, f"{self.home}/{self.rounds}")
            except OSError as error:
                self.say(work.__name__, error)
            self.rounds += 1
            time.sleep(PAUSE_S)


def make_and_remove(client, path):
    client.mkdir(path)
    client.expect("a listing", sorted(os.listdir(client.home)), [os.path.basename(path)])
    os.stat(path)
    os.rmdir(path)
    client.expect("a listing after rmdir", os.listdir(client.home), [])


def look(client, _path):
    os.stat("web")
    client.expect("web/.state", read("web/.state"), "running\n")
    if "cpu" not in read("web/.stat"):
        client.say("web/.stat", ValueError("says nothing of the cpu"))
    client.expect("web/.init", os.readlink("web/.init")[:6], "/proc/")
    if ".state" not in os.listdir("web"):
        client.say("web", ValueError("lists no .state"))


def rename(client, path):
    client.mkdir(path)
    os.rename(path, path + "-renamed")
    client.expect("a listing after rename", os.listdir(client.home), [os.path.basename(path) + "-renamed"])
    os.rename(path + "-renamed", path)
    os.chmod(path, 0o711)
    client.expect("a mode", os.stat(path).st_mode & 0o7777, 0o711)
    os.rmdir(path)


def start_and_remove(client, path):
    client.mkdir(path)
    write(path + "/.state", "running\n")
    client.expect("a state", read(path + "/.state"), "running\n")
    client.mkdir(path + "/inner")
    write(path + "/inner/.state", "running\n")
    remove = subprocess.run(["rm", "-rf", path], capture_output=True, text=True)
    if remove.returncode != 0 or remove.stderr:
        client.say("rm -rf", ValueError(remove.stderr))
    client.expect("a listing after rm -rf", os.listdir(client.home), [])


def freeze_and_thaw(client, _path):
    path = client.home
    write(path + "/.state", "running\n")
    write(path + "/.state", "frozen\n")
    client.expect("a state", read(path + "/.state"), "frozen\n")
    write(path + "/.state", "running\n")
    client.expect("a state", read(path + "/.state"), "running\n")


def move(client, path):
    """Moves a running container into another one, and starts anew."""
    client.mkdir(path)
    client.mkdir(path + "/from")
    client.mkdir(path + "/to")
    write(path + "/from/.state", "running\n")
    os.rename(path + "/from", path + "/to/moved")
    client.expect("a state", read(path + "/to/moved/.state"), "running\n")
    shutil.rmtree(path)


def read(path):
    with open(path) as file:
        return file.read()


def write(path, text):
    file = os.open(path, os.O_WRONLY | os.O_CREAT)
    try:
        os.write(file, text.encode())
    finally:
        os.close(file)


CLIENTS = {
    work.__name__: work for work in (make_and_remove, look, rename, start_and_remove, freeze_and_thaw, move)
}


def child(name, deadline, output):
    client = Client(name, deadline)
    try:
        client.run(CLIENTS[name])
    except BaseException as error:
        client.say("the client itself", error)
    report = {"rounds": client.rounds, "made": client.made, "errors": client.errors}
    os.write(output, json.dumps(report).encode())
    os._exit(0)


def main():
    deadline = time.monotonic() + float(sys.argv[1])
    outputs = {}
    for name in sys.argv[2:]:
        ours, theirs = os.pipe()
        if os.fork() == 0:
            child(name, deadline, theirs)
        os.close(theirs)
        outputs[name] = ours
    reports = {name: json.load(os.fdopen(output)) for name, output in outputs.items()}
    print(
        json.dumps(
            {
                "done": {name: report["rounds"] for name, report in reports.items()},
                "made": [path for report in reports.values() for path in report["made"]],
                "errors": [error for report in reports.values() for error in report["errors"]],
            }
        )
    )


main()
