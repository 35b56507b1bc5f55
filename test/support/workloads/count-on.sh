#!/bin/sh
# Adds the next number to the file "$1", a line, some twenty times a second, for ever.
count=0
while :; do
  count=$((count + 1))
  echo "$count" >>"$1"
  sleep 0.05
done
