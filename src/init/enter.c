/*
 * nsdir-init enter [--part KIND]... [--shell] [--named] MOUNTPOINT CONTAINER -- COMMAND [ARGUMENT...]
 *
 * Runs a command in a container as a person would: a child that entered it, on a terminal of its own if standard input and
 * output are one, else with the caller's stdio as it is. Waits as long as the child lives, passes signals on to it, and
 * exits as it does: its status, 128+n for a signal, 126 and 127 as a shell, 125 if the container cannot be entered.
 *
 * With --named the tree does not know who asks, so that a child of the helper asks by the helper's pid.
 *
 * Three processes: this one stays outside; the helper enters by a request to the tree, which is where all is checked; the
 * command is the helper's child, since nobody who enters a pid namespace is in it himself.
 */
#include "nsdir-init.h"
#include "enter.h"
#include "terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef SYS_pidfd_send_signal
#define SYS_pidfd_send_signal 424
#endif

#define KILLED (128 + SIGKILL)

static bool parse(int argc, char **argv, struct job *job)
{
	int at = 0;

	for (; at < argc && !strncmp(argv[at], "--", 2) && argv[at][2]; at++) {
		if (!strcmp(argv[at], "--shell"))
			job->shell = true;
		else if (!strcmp(argv[at], "--named"))
			job->named = true;
		else if (!strcmp(argv[at], "--part") && at + 1 < argc && job->part_count < PARTS_MAX)
			job->parts[job->part_count++] = argv[++at];
		else
			return false;
	}
	if (argc - at < 4 || strcmp(argv[at + 2], "--"))
		return false;
	job->mount_point = argv[at];
	job->container = argv[at + 1];
	job->command = argv + at + 3;
	return true;
}

/* Why the tree refused, in its own words where it left some. */
static int refused(const struct job *job, int error)
{
	char path[PATH_MAX], line[1100] = "";
	int fd;

	snprintf(path, sizeof(path), "%s/.error", job->container);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		ssize_t length = read(fd, line, sizeof(line) - 1);

		line[length > 0 ? length : 0] = '\0';
		line[strcspn(line, "\n")] = '\0';
		close(fd);
	}
	fprintf(stderr, "nsdir: cannot enter %s: %s%s%s\n", job->container, strerror(error), *line ? ": " : "", line);
	return UNREACHABLE;
}

/* What the outside one knows of the command. */
struct command {
	int channel, signals, pidfd, master;
	int failure; /* exit status of what could not be run, or 0 */
};

static void receive_fds(struct msghdr *header, struct command *command)
{
	for (struct cmsghdr *at = CMSG_FIRSTHDR(header); at; at = CMSG_NXTHDR(header, at)) {
		int fds[2] = { -1, -1 };

		if (at->cmsg_level != SOL_SOCKET || at->cmsg_type != SCM_RIGHTS)
			continue;
		memcpy(fds, CMSG_DATA(at), at->cmsg_len - CMSG_LEN(0) < sizeof(fds) ? at->cmsg_len - CMSG_LEN(0) : sizeof(fds));
		command->pidfd = fds[0];
		command->master = fds[1];
	}
}

/* One message of the helper. The status to exit with, or -1 to go on. */
static int hear(const struct job *job, struct command *command)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(2 * sizeof(int))];
	struct message message;
	struct iovec vector = { .iov_base = &message, .iov_len = sizeof(message) };
	struct msghdr header = { .msg_iov = &vector, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control) };
	ssize_t got = recvmsg(command->channel, &header, MSG_CMSG_CLOEXEC);

	if (got < 0 && errno == EINTR)
		return -1;
	if (got != (ssize_t)sizeof(message))
		return KILLED; /* the helper is gone without a word: it was killed with the container */
	switch (message.what) {
	case REFUSED:
		return refused(job, message.value);
	case NOT_STARTED:
		fprintf(stderr, "nsdir: cannot run \"%s\": %s\n", job->command[0], strerror(message.value));
		command->failure = message.value == ENOENT ? NOT_FOUND : NOT_RUN;
		return command->pidfd < 0 ? command->failure : -1;
	case CHILD:
		receive_fds(&header, command);
		if (command->master >= 0)
			begin_terminal(command->master);
		return -1;
	default:
		if (command->failure)
			return command->failure;
		return WIFSIGNALED(message.value) ? 128 + WTERMSIG(message.value) : WEXITSTATUS(message.value);
	}
}

/* A terminal's signals reach the whole foreground group, the command too: those come from the kernel (sigaction(2)). */
static void pass_signals(const struct command *command)
{
	struct signalfd_siginfo info;

	while (read(command->signals, &info, sizeof(info)) == sizeof(info)) {
		if (info.ssi_signo == SIGWINCH && command->master >= 0)
			resize_terminal(command->master);
		else if (info.ssi_code != SI_KERNEL || command->master >= 0)
			syscall(SYS_pidfd_send_signal, command->pidfd, info.ssi_signo, NULL, 0);
	}
}

static int wait_for(const struct job *job, struct command *command)
{
	for (;;) {
		struct pollfd polled[4] = {
			{ .fd = command->channel, .events = POLLIN },
			{ .fd = command->pidfd >= 0 ? command->signals : -1, .events = POLLIN },
		};
		int result = -1;

		poll_terminal(command->master, polled + 2);
		if (poll(polled, 4, -1) < 0)
			continue;
		if (polled[1].revents)
			pass_signals(command);
		if (!relay_terminal(command->master, polled + 2))
			syscall(SYS_pidfd_send_signal, command->pidfd, SIGHUP, NULL, 0);
		if (polled[0].revents)
			result = hear(job, command);
		if (result >= 0) {
			end_terminal(command->master);
			return result;
		}
	}
}

/* All that would end us or mean something to the command; not those of job control, which the shell has for us. */
static int catch_signals(struct job *job)
{
	static const int left[] = { SIGCHLD, SIGTSTP, SIGTTIN, SIGTTOU, SIGCONT };
	sigset_t caught;

	fill_signals(&caught);
	for (size_t at = 0; at < sizeof(left) / sizeof(*left); at++)
		sigdelset(&caught, left[at]);
	sigprocmask(SIG_SETMASK, &caught, &job->signals);
	return signalfd(-1, &caught, SFD_CLOEXEC | SFD_NONBLOCK);
}

int enter_main(int argc, char **argv)
{
	struct job job = { 0 };
	struct command command = { .pidfd = -1, .master = -1 };
	int ends[2];
	pid_t helper;

	if (!parse(argc, argv, &job)) {
		fputs("usage: nsdir-init enter [--part KIND]... [--shell] [--named] MOUNTPOINT CONTAINER -- COMMAND [ARGUMENT...]\n", stderr);
		return UNREACHABLE;
	}
	if (!getcwd(job.cwd, sizeof(job.cwd)))
		strcpy(job.cwd, "/");
	job.has_terminal = isatty(0) && isatty(1);
	command.signals = catch_signals(&job);
	if (command.signals < 0 || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) || (helper = fork()) < 0) {
		fprintf(stderr, "nsdir: cannot enter %s: %s\n", job.container, strerror(errno));
		return UNREACHABLE;
	}
	if (helper == 0) {
		close(ends[0]);
		close(command.signals);
		help_enter(&job, ends[1]);
	}
	close(ends[1]);
	command.channel = ends[0];
	return wait_for(&job, &command);
}
