/*
 * A private machine for an ordinary user: user, mount and pid namespaces of its own, in which he is root. Its process 1 runs
 * one command, reaps, and ends with that, and with it all that is there; so it does when who asked for it is killed. Signals
 * are passed on to the command.
 */
#include "nsdir-init.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* It could not be made, as with `run`. */
#define UNMADE 125
#define NOT_FOUND 127
#define NOT_RUN 126

static int fail(const char *step)
{
	fprintf(stderr, "nsdir: cannot %s: %s\n", step, strerror(errno));
	return UNMADE;
}

/* Passes on every signal until `child` has ended, and reaps all others; the status as a shell has it. */
static int outlast(pid_t child, const sigset_t *signals)
{
	siginfo_t got;
	int status;
	pid_t ended;

	for (;;) {
		if (sigwaitinfo(signals, &got) < 0)
			continue;
		/* What the kernel sends, a terminal's ^C above all, the child has got itself. */
		if (got.si_signo != SIGCHLD && got.si_code <= 0)
			kill(child, got.si_signo);
		while ((ended = waitpid(-1, &status, WNOHANG)) > 0)
			if (ended == child)
				return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	}
}

/* Process 1: waits for its ids, then runs the command in a mount tree with a /proc of its own. */
static _Noreturn void be_first(int ready, const sigset_t *signals, char **command)
{
	char go;
	pid_t child;

	if (read(ready, &go, 1) != 1 || setresgid(0, 0, 0) || setresuid(0, 0, 0))
		_exit(fail("become root in a user namespace"));
	close(ready);
	prctl(PR_SET_PDEATHSIG, SIGKILL); /* after the ids, whose change takes it back */
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) || mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL))
		_exit(fail("mount /proc"));
	child = fork();
	if (child == 0) {
		reset_signals();
		execute_command(command);
		fprintf(stderr, "nsdir: cannot run \"%s\": %s\n", command[0], strerror(errno));
		_exit(errno == ENOENT ? NOT_FOUND : NOT_RUN);
	}
	_exit(child < 0 ? fail("fork") : outlast(child, signals));
}

int machine_main(char **command)
{
	sigset_t signals;
	int ready[2];
	pid_t first;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	fill_signals(&signals);
	sigprocmask(SIG_SETMASK, &signals, NULL);
	if (pipe2(ready, 0))
		return fail("make a pipe");
	first = (pid_t)syscall(SYS_clone, CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | SIGCHLD, NULL, NULL, NULL, NULL);
	if (first == 0) {
		close(ready[1]);
		be_first(ready[0], &signals, command);
	}
	if (first < 0)
		return fail("make a user namespace");
	close(ready[0]);
	if (map_ids_of_user(first) || write(ready[1], "", 1) != 1) {
		fail("map ids");
		kill(first, SIGKILL);
	}
	close(ready[1]);
	return outlast(first, &signals);
}
