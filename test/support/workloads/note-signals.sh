#!/bin/sh
# Appends the name of each signal it gets to the file "$1", which says "ready" first. Ends with 9 on QUIT.
file=$1
trap 'echo HUP >>"$file"' HUP
trap 'echo INT >>"$file"' INT
trap 'echo TERM >>"$file"' TERM
trap 'echo USR1 >>"$file"' USR1
trap 'echo USR2 >>"$file"' USR2
trap 'echo QUIT >>"$file"; exit 9' QUIT
echo ready >>"$file"
while :; do sleep 0.02; done
