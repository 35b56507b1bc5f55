/*
 * nsdir-init events FILE
 *
 * Copies a trace_pipe (ftrace.rst) to stdout in turns. Whoever waits in the file itself is woken for every event, by the
 * process that it is about, and wakes the daemon: that slows whatever makes processes. So the first event after a silence is
 * passed on at once, and then, every TURN_MS, what came meanwhile, until there was nothing.
 *
 * What the daemon does not take is kept here, since the kernel's buffer is full within a quarter of a second where processes
 * come and go as fast as they can; only when this is full as well, events are lost, and the kernel says so.
 */
#include "nsdir-init.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define TURN_MS 10
/* A bomb of ten thousand processes a second says as much in half a minute. */
#define KEPT_BYTES_LIMIT (32 << 20)
/* After a burst of more than this its memory is given back. */
#define USUAL_BYTES (1 << 20)

/* What was read and not taken yet: the bytes from `first` to `end`. */
static char kept[KEPT_BYTES_LIMIT] __attribute__((aligned(4096)));
static size_t first, end;

/* Room is made once a quarter of it was taken: to move the rest for each piece would take longer than all else. */
static bool is_full(void)
{
	if (end == sizeof(kept) && first >= sizeof(kept) / 4) {
		memmove(kept, kept + first, end - first);
		end -= first;
		first = 0;
	}
	return end == sizeof(kept);
}

/* What one read(2) gives; 0 if there is no room for it. */
static ssize_t keep(int pipe)
{
	ssize_t got;

	if (is_full())
		return 0;
	got = read(pipe, kept + end, sizeof(kept) - end);
	if (got > 0)
		end += (size_t)got;
	return got;
}

/* False if nobody reads it any more. */
static bool pass_on(void)
{
	while (first < end) {
		ssize_t taken = write(1, kept + first, end - first);

		if (taken < 0 && errno == EINTR)
			continue;
		if (taken < 0)
			return errno == EAGAIN;
		first += (size_t)taken;
	}
	if (end > USUAL_BYTES)
		madvise(kept, sizeof(kept), MADV_DONTNEED);
	first = end = 0;
	return true;
}

/* What comes until there was nothing in a turn, and all is taken. False if there is nobody to tell, or nothing to read. */
static bool take_turns(int pipe)
{
	const struct timespec turn = { .tv_nsec = TURN_MS * 1000000L };
	struct pollfd taker = { .fd = 1, .events = POLLOUT };
	bool any = true;

	while (any || first < end) {
		ssize_t got;

		if (is_full())
			poll(&taker, 1, -1);
		else
			nanosleep(&turn, NULL);
		for (any = false; (got = keep(pipe)) > 0; any = true)
			;
		if ((got < 0 && errno != EAGAIN && errno != EINTR) || !pass_on())
			return false;
	}
	return true;
}

int events_main(const char *path)
{
	int pipe = open(path, O_RDONLY | O_CLOEXEC);

	if (pipe < 0) {
		perror(path);
		return 1;
	}
	fcntl(1, F_SETFL, O_NONBLOCK);
	do {
		fcntl(pipe, F_SETFL, 0);
		if (keep(pipe) <= 0 || !pass_on())
			return 1;
		fcntl(pipe, F_SETFL, O_NONBLOCK);
	} while (take_turns(pipe));
	return 1;
}
