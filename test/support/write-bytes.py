"""Writes each item of a JSON list, read from stdin, to argv[1] by one write(2): {"text": …} or {"bytes": N of "x"}.

Prints a JSON list: the errno's name of each, "" for none. The file is opened without O_CREAT and not followed.
"""
import errno
import json
import os
import sys


def attempt(item):
    data = b"x" * item["bytes"] if "bytes" in item else item["text"].encode("latin1")
    try:
        file = os.open(sys.argv[1], os.O_WRONLY | os.O_NOFOLLOW)
    except OSError as error:
        return errno.errorcode[error.errno]
    try:
        os.write(file, data)
        return ""
    except OSError as error:
        return errno.errorcode[error.errno]
    finally:
        os.close(file)


print(json.dumps([attempt(item) for item in json.load(sys.stdin)]))
