#!/bin/sh
# Ignores every signal that can be ignored, and so do its children.
trap '' TERM INT HUP QUIT USR1 USR2 ALRM PIPE
sleep 1000 &
sleep 1000 &
while :; do wait; sleep 1; done
