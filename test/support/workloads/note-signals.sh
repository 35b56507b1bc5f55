# Appends the name of each signal it gets to the file "$1", which says "ready" first. Ends with 9 on QUIT.
for name in HUP INT TERM USR1 USR2; do
  # shellcheck disable=SC2064
  trap "echo $name >>'$1'" "$name"
done
trap "echo QUIT >>'$1'; exit 9" QUIT
echo ready >>"$1"
while :; do sleep 0.02; done
