#!/bin/sh
# Is always inside some operation on the mount "$1": makes, lists and removes containers, in four processes.
for worker in 1 2 3 4; do
  while :; do
    mkdir "$1/churn$worker" && ls -la "$1" "$1/churn$worker" && cat "$1/.procs" "$1/.stat" && rmdir "$1/churn$worker"
  done >/dev/null 2>&1 &
done
wait
