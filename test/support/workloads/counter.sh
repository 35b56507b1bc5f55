#!/bin/sh
# Counts in the file "$1", some hundred times a second, for ever.
count=0
while :; do
  count=$((count + 1))
  echo "$count" >"$1"
  sleep 0.005
done
