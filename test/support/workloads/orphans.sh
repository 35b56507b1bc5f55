#!/bin/sh
# Leaves grandchildren whose parents are dead; goes on itself.
(setsid sleep 1000 &)
(setsid sh -c 'sleep 1000 & sleep 1000; :' &)
exec sleep 1000
