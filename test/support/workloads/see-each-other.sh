#!/bin/sh
# Counts in the file "$1", with the number it saw last in the file "$2", which another one writes: "OWN SEEN". All that it
# wrote is in "$1.history".
own=0
seen=0
while :; do
  own=$((own + 1))
  echo "$own $seen" >>"$1.history"
  echo "$own" >"$1.new"
  mv "$1.new" "$1"
  if read -r other <"$2"; then seen=$other; fi 2>/dev/null
done
