#!/bin/sh
# Counts in the file "$1", and adds the number, with that which it saw last in the file "$2" of another one, to the file
# "$3": "OWN SEEN".
own=0
seen=0
while :; do
  own=$((own + 1))
  echo "$own $seen" >>"$3"
  echo "$own" >"$1.new" && mv "$1.new" "$1"
  if read -r other <"$2"; then seen=$other; fi
done 2>/dev/null
