/* The helper of nsdir-init enter: enters, by a request to the tree, and is the command's parent inside. */
#include "nsdir-init.h"
#include "enter.h"
#include "terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif

#define FALLBACK_SHELL "/bin/sh"

/*
 * Has `who` enter, `self` or a pid: everything by writing to .procs; single kinds by linking each of them. 0, or an errno.
 */
static int ask(const struct job *job, const char *who)
{
	char from[PATH_MAX], to[PATH_MAX];
	int fd, error = 0;

	snprintf(to, sizeof(to), "%s/.proxy/%s", job->mount_point, who);
	for (int at = 0; at < job->part_count; at++) {
		snprintf(from, sizeof(from), "%s/.ns/%s", job->container, job->parts[at]);
		if (linkat(AT_FDCWD, from, AT_FDCWD, to, 0))
			return errno;
	}
	if (job->part_count > 0)
		return 0;
	snprintf(to, sizeof(to), "%s/.procs", job->container);
	fd = open(to, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return errno;
	if (dprintf(fd, "%d\n", atoi(who)) < 0)
		error = errno;
	close(fd);
	return error;
}

/* Who is named can be stopped while it waits for the child, but not while it waits for an answer of the tree. */
static int enter(const struct job *job)
{
	char who[16];
	int status;
	pid_t child;

	if (!job->named)
		return ask(job, "self");
	snprintf(who, sizeof(who), "%d", getpid());
	child = fork();
	if (child == 0)
		_exit(ask(job, who));
	while (child > 0 && waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			return errno;
	return child < 0 ? errno : WIFEXITED(status) ? WEXITSTATUS(status) : EIO;
}

static bool tell(int channel, enum news what, int value, const int *fds, size_t count)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(2 * sizeof(int))] = { 0 };
	struct message message = { what, value };
	struct iovec vector = { .iov_base = &message, .iov_len = sizeof(message) };
	struct msghdr header = { .msg_iov = &vector, .msg_iovlen = 1 };

	if (count > 0) {
		struct cmsghdr *rights;

		header.msg_control = control;
		header.msg_controllen = CMSG_SPACE(count * sizeof(int));
		rights = CMSG_FIRSTHDR(&header);
		rights->cmsg_level = SOL_SOCKET;
		rights->cmsg_type = SCM_RIGHTS;
		rights->cmsg_len = CMSG_LEN(count * sizeof(int));
		memcpy(CMSG_DATA(rights), fds, count * sizeof(int));
	}
	return sendmsg(channel, &header, MSG_NOSIGNAL) == (ssize_t)sizeof(message);
}

/* The command's last steps. Never returns; an errno of exec goes into `failed`. */
static _Noreturn void become(const struct job *job, int terminal, int failed)
{
	char *shell[2] = { FALLBACK_SHELL, NULL };
	int error;

	if (terminal >= 0 && !take_terminal(terminal)) {
		error = errno;
	} else {
		if (chdir(job->cwd))
			error = chdir("/");
		setenv("container", "nsdir", 1);
		sigprocmask(SIG_SETMASK, &job->signals, NULL);
		execute_command(job->command);
		if (job->shell)
			execv(shell[0], shell);
		error = errno;
	}
	while (write(failed, &error, sizeof(error)) < 0 && errno == EINTR)
		;
	_exit(NOT_FOUND);
}

/* The helper: enters, starts the command, and waits for it. */
_Noreturn void help_enter(const struct job *job, int channel)
{
	int outside, master = -1, error, status, ends[2], fds[2];
	pid_t child;

	/* What else the caller has open leads out of the container. */
	close_all_but(&channel, 1);
	outside = job->has_terminal ? open_terminal() : -1;
	/* Until the command is executed, this very file of the machine's is what runs inside: not to be opened there. */
	if (!job->named || geteuid() == 0) /* else nobody could trace it who is not root either */
		prctl(PR_SET_DUMPABLE, 0);
	error = enter(job);
	if (error) {
		tell(channel, REFUSED, error, NULL, 0);
		_exit(UNREACHABLE);
	}
	if (job->has_terminal) {
		/* The container's own, so that its name means something inside. */
		master = open_terminal();
		if (master < 0)
			master = outside;
		else if (outside >= 0)
			close(outside);
	}
	if (pipe2(ends, O_CLOEXEC) || (child = fork()) < 0) {
		tell(channel, NOT_STARTED, errno, NULL, 0);
		_exit(UNREACHABLE);
	}
	if (child == 0)
		become(job, master, ends[1]);
	close(ends[1]);
	fds[0] = (int)syscall(SYS_pidfd_open, child, 0);
	fds[1] = master;
	tell(channel, CHILD, 0, fds, master >= 0 ? 2 : 1);
	close(fds[0]);
	if (master >= 0)
		close(master);
	if (read(ends[0], &error, sizeof(error)) == sizeof(error))
		tell(channel, NOT_STARTED, error, NULL, 0);
	while (waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	tell(channel, ENDED, status, NULL, 0);
	_exit(0);
}
