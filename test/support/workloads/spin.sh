#!/bin/sh
# Uses the processor, for ever.
while :; do :; done
