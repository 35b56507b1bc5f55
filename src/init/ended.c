/*
 * Waits until a container's end is seen in its directory. A process of its own: one that waits for a daemon that does not
 * answer can only be let go.
 */
#include "nsdir-init.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LOOK_EVERY_MS 2
#define LOOKS_MAX 1000
/* After its init has ended: what lives without a pid namespace may go on for ever. */
#define LOOKS_AFTER_EXIT_MAX 50

static bool is_running(int directory)
{
	char text[sizeof("running")] = "";
	int state = openat(directory, ".state", O_RDONLY | O_CLOEXEC);

	if (state < 0)
		return false;
	(void)!read(state, text, sizeof(text) - 1);
	close(state);
	return !strcmp(text, "running");
}

int ended_main(const char *path)
{
	const struct timespec pause = { .tv_nsec = LOOK_EVERY_MS * 1000000L };
	int directory = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	int after_exit = 0;

	for (int look = 0; look < LOOKS_MAX && after_exit < LOOKS_AFTER_EXIT_MAX && is_running(directory); look++) {
		if (after_exit || faccessat(directory, ".exit", F_OK, 0) == 0)
			after_exit++;
		nanosleep(&pause, NULL);
	}
	return 0;
}
