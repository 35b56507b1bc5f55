/*
 * Start, and kill + remove, of a container by command lines, timed:
 *   cycle COUNT SIGNAL [--start CMD…]… [--run CMD…] [--stop CMD…]…
 * In every word, `@` is the number of the round. `--start` and `--stop` run to their end, in this order, and must
 * succeed. `--run` stays in the foreground and counts as started when it has written its first byte; without `--stop`
 * it gets the signal of this number. Stopped is when the last process that holds its output is gone.
 */
#define _GNU_SOURCE
#include "samples.h"
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { WORDS_LIMIT = 96, WORD_BYTES = 512, STEP_LIMIT_S = 30 };
extern char **environ;

static int is_step(const char *word)
{
	return !strcmp(word, "--start") || !strcmp(word, "--run") || !strcmp(word, "--stop");
}

/* Spawns the command whose words begin at `word`; its standard output is `out`. */
static pid_t spawn_step(char **word, long round, int out)
{
	static char text[WORDS_LIMIT][WORD_BYTES];
	char *words[WORDS_LIMIT + 1] = { 0 };
	posix_spawn_file_actions_t actions;
	pid_t pid;

	for (int i = 0; *word && !is_step(*word); i++, word++) {
		char *at = strchr(*word, '@');
		if (i == WORDS_LIMIT)
			errx(2, "more than %d words", WORDS_LIMIT);
		if (at)
			snprintf(text[i], WORD_BYTES, "%.*s%ld%s", (int)(at - *word), *word, round, at + 1);
		else
			snprintf(text[i], WORD_BYTES, "%s", *word);
		words[i] = text[i];
	}
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&actions, out, 1);
	if (posix_spawnp(&pid, words[0], &actions, NULL, words, environ))
		errx(1, "cannot run %s", words[0]);
	posix_spawn_file_actions_destroy(&actions);
	return pid;
}

static void run_steps(char **argv, const char *which, long round, int out)
{
	for (; *argv; argv++) {
		int status;
		if (strcmp(*argv, which))
			continue;
		pid_t pid = spawn_step(argv + 1, round, out);
		if (waitpid(pid, &status, 0) != pid || status != 0)
			errx(1, "%s ended with status %d", argv[1], WIFEXITED(status) ? WEXITSTATUS(status) : 128);
	}
}

static char **step_named(char **argv, const char *which)
{
	while (*argv && strcmp(*argv, which))
		argv++;
	return *argv ? argv + 1 : NULL;
}

/* What was spawned here ends with this program. */
static void too_long(int signal_number)
{
	static const char text[] = "cycle: a step did not end in time\n";
	(void)signal_number;
	if (write(2, text, sizeof text - 1) < 0)
		_exit(1);
	signal(SIGTERM, SIG_IGN);
	kill(0, SIGTERM);
	usleep(300000);
	kill(0, SIGKILL);
}

int main(int argc, char **argv)
{
	if (argc < 4)
		errx(2, "usage: cycle COUNT SIGNAL [--start CMD…]… [--run CMD…] [--stop CMD…]…");
	long count = atol(argv[1]);
	int signal_number = atoi(argv[2]);
	struct samples start = samples_for(count), stop = samples_for(count);
	int nowhere = open("/dev/null", O_WRONLY);
	char **foreground = step_named(argv, "--run"), **stopping = step_named(argv, "--stop");

	setpgid(0, 0);
	signal(SIGALRM, too_long);
	/* What outlives its parent is reaped here, whatever this machine's first process does. */
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	for (long round = 0; round < count; round++) {
		int pipes[2];
		pid_t pid = -1;
		char byte;
		if (pipe2(pipes, O_CLOEXEC))
			err(1, "pipe");
		alarm(STEP_LIMIT_S);

		long long began = now_ns();
		run_steps(argv, "--start", round, nowhere);
		if (foreground) {
			pid = spawn_step(foreground, round, pipes[1]);
			close(pipes[1]);
			if (read(pipes[0], &byte, 1) != 1)
				errx(1, "%s did not start its command", foreground[0]);
		}
		long long started = now_ns();
		if (pid > 0 && !stopping)
			kill(pid, signal_number);
		run_steps(argv, "--stop", round, nowhere);
		if (pid > 0) {
			while (read(pipes[0], &byte, 1) > 0)
				;
			waitpid(pid, NULL, 0);
		}
		long long stopped = now_ns();

		start.ns[start.count++] = started - began;
		stop.ns[stop.count++] = stopped - started;
		close(pipes[0]);
		if (!foreground)
			close(pipes[1]);
		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
	}
	print_samples("start", start);
	print_samples("remove", stop);
	return 0;
}
