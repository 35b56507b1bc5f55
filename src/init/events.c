/*
 * nsdir-init events FILE
 *
 * Copies a trace_pipe (ftrace.rst) to stdout in turns. Whoever waits in the file itself is woken for every event, by the
 * process that it is about, and wakes the daemon: that slows whatever makes processes. So the first event after a silence is
 * passed on at once, and then, every TURN_MS, what came meanwhile, until there was nothing.
 */
#include "nsdir-init.h"

#include <fcntl.h>
#include <time.h>
#include <unistd.h>

#define TURN_MS 2

static char events[1 << 16];

/* All that is there now. False if there was nothing, or nobody reads it any more. */
static bool pass_on(int pipe)
{
	bool any = false;
	ssize_t got;

	while ((got = read(pipe, events, sizeof(events))) > 0) {
		if (!write_fully(1, events, (size_t)got))
			return false;
		any = true;
	}
	return any;
}

int events_main(const char *path)
{
	const struct timespec turn = { .tv_nsec = TURN_MS * 1000000L };
	int pipe = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t got;

	while ((got = read(pipe, events, sizeof(events))) > 0 && write_fully(1, events, (size_t)got)) {
		fcntl(pipe, F_SETFL, O_NONBLOCK);
		do
			nanosleep(&turn, NULL);
		while (pass_on(pipe));
		fcntl(pipe, F_SETFL, 0);
	}
	return 1;
}
