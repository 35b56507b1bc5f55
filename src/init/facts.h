/* What the daemon counts on (facts.c; src/kernel/tracer-link.ts, `Fact`). */
#ifndef FACTS_H
#define FACTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Whether all of them are; false for what is no list of facts. */
bool are_so(const char *facts, size_t length);

/* Sets of signals in /proc/PID/status, by their names there; false if one is missing. As they were when the last fact of all
 * was looked at, if that was one of this file: a process that stands still does not change what it blocks and ignores. */
bool read_masks(pid_t pid, const char *const *names, uint64_t *masks, size_t count);

/* As one write(2). */
bool write_text(const char *path, const char *text);

#endif
