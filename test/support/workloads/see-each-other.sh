#!/bin/sh
# Counts in the link "$1", and makes, in the directory "$3", a directory that is called after the number and that which
# it saw last in the link "$2" of another one: "OWN SEEN". No file of it is ever open, so all may be taken away from it.
own=0
seen=0
while :; do
  own=$((own + 1))
  mkdir "$3/$own $seen"
  ln -sf "$own" "$1.new" && mv -T "$1.new" "$1"
  if other=$(readlink "$2"); then seen=$other; fi
done 2>/dev/null
