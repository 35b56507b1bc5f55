"""Removes the directory WEB as rm(1) does, in its steps, with a stop of it between the listing and the rest."""
import os
import stat
import sys
import time

web = os.open(sys.argv[1], os.O_RDONLY)


def is_directory(directory, name):
    try:
        return stat.S_ISDIR(os.stat(name, dir_fd=directory, follow_symlinks=False).st_mode)
    except FileNotFoundError:
        return False


def remove(directory, name):
    try:
        if is_directory(directory, name):
            os.rmdir(name, dir_fd=directory)
        else:
            os.unlink(name, dir_fd=directory)
    except FileNotFoundError:
        pass


names = os.listdir(web)
assert '.ns' in names, names
with open(f'{sys.argv[1]}/.state', 'w') as state:
    state.write('stopped')
time.sleep(0.2)
for each in names:
    remove(web, each)
for each in os.listdir(web):
    remove(web, each)
os.rmdir(sys.argv[1])
