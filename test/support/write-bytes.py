"""Writes each item of a JSON list, read from stdin, to the control entry argv[2] of the container argv[1] by one write(2):
{"text": …} or {"bytes": N of "x"}.

Prints a JSON list of [errno's name, "" for none, text of .error afterwards]. The entry is opened without O_CREAT and not
followed.
"""
import contextlib
import errno
import json
import os
import sys

container, entry = sys.argv[1:]


def write(path, data):
    file = os.open(path, os.O_WRONLY | os.O_NOFOLLOW)
    try:
        os.write(file, data)
    finally:
        os.close(file)


def refusal_of(path, data):
    try:
        write(path, data)
        return ""
    except OSError as error:
        return errno.errorcode[error.errno]


def attempt(item):
    with contextlib.suppress(FileNotFoundError):
        os.unlink(f"{container}/.error")
    if entry == ".error":
        refusal_of(f"{container}/.state", b"wrong")
    data = b"x" * item["bytes"] if "bytes" in item else item["text"].encode("latin1")
    name = refusal_of(f"{container}/{entry}", data)
    with contextlib.suppress(FileNotFoundError), open(f"{container}/.error") as error:
        return name, error.read()
    return name, ""


print(json.dumps([attempt(item) for item in json.load(sys.stdin)]))
