/*
 * target LOG: a process that notices what is done to it. It sleeps, reads and polls in turn, counts its real-time signals,
 * and writes a line to LOG for every answer of the kernel that it should not have got. SIGTERM ends it: "signals N".
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static volatile sig_atomic_t signals, over;
static int log_fd;

static void count(int number)
{
	(void)number;
	signals++;
}

static void end(int number)
{
	(void)number;
	over = 1;
}

/* EINTR is right if a handler ran, and nothing else ever is. */
static void check(const char *call, int before)
{
	char line[128];

	if (errno == EINTR && (signals != before || over))
		return;
	dprintf(log_fd, "fault: %s: %s\n", call, strerror(errno));
	(void)line;
}

int main(int argc, char **argv)
{
	struct sigaction action = { .sa_handler = count };
	int ends[2], marker = 0x5eed;
	sigset_t mask, now;
	char byte;

	if (argc != 2 || (log_fd = open(argv[1], O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600)) < 0 || pipe(ends))
		return 2;
	sigaction(SIGRTMIN + 1, &action, NULL);
	action.sa_handler = end;
	sigaction(SIGTERM, &action, NULL);
	sigemptyset(&mask);
	sigaddset(&mask, SIGUSR2);
	sigprocmask(SIG_SETMASK, &mask, NULL);
	dprintf(log_fd, "ready\n");
	while (!over) {
		struct timespec nap = { 0, 3 * 1000 * 1000 };
		struct pollfd polled = { .fd = ends[0], .events = POLLIN };
		int before = signals, got;

		if (nanosleep(&nap, NULL))
			check("nanosleep", before);
		before = signals;
		got = poll(&polled, 1, 3);
		if (got < 0)
			check("poll", before);
		else if (got > 0)
			dprintf(log_fd, "fault: poll: %d\n", got);
		if (write(ends[1], "x", 1) != 1)
			check("write", signals - 1);
		before = signals;
		if ((got = (int)read(ends[0], &byte, 1)) < 0)
			check("read", before);
		else if (got != 1 || byte != 'x')
			dprintf(log_fd, "fault: read: %d\n", got);
		/* Computes, so that it is met in no system call too. */
		for (volatile int turn = 0; turn < 300000; turn++)
			marker ^= turn;
		sigprocmask(SIG_SETMASK, NULL, &now);
		if (sigismember(&now, SIGUSR2) != 1 || sigismember(&now, SIGHUP) != 0)
			dprintf(log_fd, "fault: the signal mask is another\n");
	}
	dprintf(log_fd, "signals %d\n", (int)signals);
	return marker == 1;
}
