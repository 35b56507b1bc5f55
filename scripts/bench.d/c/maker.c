/*
 * Sets of namespaces, made in ways that discovery must bear. Prints as print_samples says.
 *
 * maker exits COUNT             COUNT times fork, unshare(2), exit
 * maker hold COUNT SECONDS      COUNT processes that do nothing; prints `ready`, and ends them after SECONDS
 * maker storm RATE SECONDS      RATE processes a second, each in a UTS namespace of its own that lives for a second
 * maker stats PATH SECONDS      stat(2) of PATH every 2 ms
 */
#define _GNU_SOURCE
#include "samples.h"
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static pid_t child(void)
{
	pid_t pid = fork();
	if (pid < 0)
		err(1, "fork");
	if (pid == 0)
		prctl(PR_SET_PDEATHSIG, SIGKILL);
	return pid;
}

static void own_namespace(void)
{
	if (unshare(CLONE_NEWUTS))
		_exit(1);
}

static void exits(long count)
{
	struct samples s = samples_for(count);
	for (long i = 0; i < count; i++) {
		long long begun = now_ns();
		pid_t pid = child();
		if (pid == 0) {
			own_namespace();
			_exit(0);
		}
		int status;
		if (waitpid(pid, &status, 0) != pid || status != 0)
			errx(1, "a child failed");
		s.ns[s.count++] = now_ns() - begun;
	}
	print_samples("exits", s);
}

static void hold(long count, long seconds)
{
	for (long i = 0; i < count; i++)
		if (child() == 0)
			for (;;)
				pause();
	puts("ready");
	fflush(stdout);
	sleep(seconds);
}

static void storm(long rate, long seconds)
{
	long long begun = now_ns();
	/* Others do it: the kernel divides time among sessions (sched(7), autogroup), and who asks meanwhile is in another one. */
	setsid();
	signal(SIGCHLD, SIG_IGN);
	for (long i = 0; i < rate * seconds; i++) {
		long long due = begun + i * 1000000000LL / rate, left = due - now_ns();
		if (left > 0)
			usleep(left / 1000);
		if (child() == 0) {
			own_namespace();
			sleep(1);
			_exit(0);
		}
	}
	struct samples s = samples_for(1);
	s.ns[s.count++] = now_ns() - begun;
	print_samples("storm", s);
}

static void stats(const char *path, long seconds)
{
	struct samples s = samples_for(seconds * 1000);
	long long end = now_ns() + seconds * 1000000000LL;
	while (now_ns() < end && s.count < seconds * 1000) {
		struct stat st;
		long long begun = now_ns();
		if (stat(path, &st))
			err(1, "stat %s", path);
		s.ns[s.count++] = now_ns() - begun;
		usleep(2000);
	}
	print_samples("stats", s);
}

int main(int argc, char **argv)
{
	if (argc == 3 && !strcmp(argv[1], "exits"))
		exits(atol(argv[2]));
	else if (argc == 4 && !strcmp(argv[1], "hold"))
		hold(atol(argv[2]), atol(argv[3]));
	else if (argc == 4 && !strcmp(argv[1], "storm"))
		storm(atol(argv[2]), atol(argv[3]));
	else if (argc == 4 && !strcmp(argv[1], "stats"))
		stats(argv[2], atol(argv[3]));
	else
		errx(2, "usage: see the source");
	return 0;
}
