/*
 * The life of an init: it reaps, and runs commands on request. A request is one datagram of strings, with descriptors:
 *
 *   run FLAGS CWD LOG ARGC ARG… ENV…   descriptors: status pipe, and unless detached stdin, stdout, stderr
 *   signal PID NUMBER                  to a command of its own
 *
 * FLAGS: `m` the container ends with this command, `d` detached (output goes to the file LOG). On the status pipe come the
 * lines `pid N` or `error ERRNO`, and at the end, unless detached, `status WSTATUS` (wait(2)).
 */
#include "nsdir-init.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* Commands at once; each may hold a status pipe, and descriptors are limited to OPEN_FILES. */
#define COMMANDS_MAX 768
/* Requests taken before children are reaped again. */
#define REQUESTS_PER_ROUND 16
#define DESCRIPTORS_MAX 4
/* Status of a command that is not there, and of one that cannot be executed, as a shell has it. */
#define NOT_FOUND 127
#define NOT_EXECUTABLE 126

struct command {
	pid_t pid;
	int status; /* pipe, or -1 */
	bool main;
};

struct run_request {
	bool main, detached;
	char *cwd, *log, *argv, *end;
	uint64_t argc;
};

static struct command commands[COMMANDS_MAX];
static int command_count;
static _Alignas(4096) char request[(REQUEST_MAX / 4096 + 1) * 4096];

static void say(int status, const char *word, int number)
{
	char line[32];
	int length = snprintf(line, sizeof(line), "%s %d\n", word, number);

	(void)!write(status, line, (size_t)length); /* a client that went away, or reads nothing, is its own affair */
}

static void end_of_command(int index, int wait_status)
{
	struct command ended = commands[index];

	commands[index] = commands[--command_count];
	if (ended.status >= 0) {
		say(ended.status, "status", wait_status);
		close(ended.status);
	}
	if (ended.main)
		_exit(WIFSIGNALED(wait_status) ? 128 + WTERMSIG(wait_status) : WEXITSTATUS(wait_status));
}

static void reap(void)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG | __WALL)) > 0) {
		for (int index = 0; index < command_count; index++) {
			if (commands[index].pid == pid) {
				end_of_command(index, status);
				break;
			}
		}
	}
}

/* Reads one string of a request and goes behind it; NULL at the request's end. */
static char *next_string(char **at, const char *end)
{
	char *string = *at;

	if (string >= end)
		return NULL;
	*at += strlen(string) + 1;
	return string;
}

static bool parse_run(char *at, char *end, struct run_request *run)
{
	char *flags = next_string(&at, end), *argc;

	run->cwd = next_string(&at, end);
	run->log = next_string(&at, end);
	argc = next_string(&at, end);
	if (!argc || !parse_number(argc, REQUEST_MAX, &run->argc) || run->argc == 0)
		return false;
	run->main = strchr(flags, 'm');
	run->detached = strchr(flags, 'd');
	run->argv = at;
	run->end = end;
	for (uint64_t index = 0; index < run->argc; index++)
		if (!next_string(&at, end))
			return false;
	return true;
}

/* Makes a NULL-terminated vector of up to `max` strings; *at goes behind them. */
static char **vector(char **at, const char *end, uint64_t max)
{
	char **strings, *behind = *at;
	uint64_t count = 0;

	while (count < max && next_string(&behind, end))
		count++;
	strings = calloc(count + 1, sizeof(*strings));
	if (!strings)
		_exit(NOT_EXECUTABLE);
	for (uint64_t index = 0; index < count; index++)
		strings[index] = next_string(at, end);
	return strings;
}

/* In the new process. `stdio` are descriptors above 2. */
static _Noreturn void execute(const struct run_request *run, const int stdio[3])
{
	extern char **environ;
	char *at = run->argv, **argv = vector(&at, run->end, run->argc);

	environ = vector(&at, run->end, REQUEST_MAX);
	setsid();
	for (int fd = 0; fd < 3; fd++)
		if (stdio[fd] >= 0)
			dup2(stdio[fd], fd);
	close_all_but(NULL, 0);
	if (chdir(run->cwd) && chdir("/"))
		_exit(NOT_EXECUTABLE);
	reset_signals();
	execute_command(argv);
	dprintf(2, "nsdir: cannot run \"%s\": %s\n", argv[0], strerror(errno));
	_exit(errno == ENOENT ? NOT_FOUND : NOT_EXECUTABLE);
}

/* 0 or an errno. `fds` stay the caller's, but a status pipe that is kept is set to -1. */
static int run(struct run_request *run, int *fds)
{
	int stdio[3] = { -1, fds[2], fds[3] }, log = -1;
	pid_t pid;

	if (command_count == COMMANDS_MAX)
		return EAGAIN;
	if (run->detached) {
		log = open(run->log, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_NOCTTY | O_CLOEXEC, 0600);
		if (log < 0)
			return errno;
		stdio[1] = stdio[2] = log; /* stdin stays the init's own, /dev/null */
	} else {
		stdio[0] = fds[1];
	}
	pid = fork();
	if (pid == 0)
		execute(run, stdio);
	if (log >= 0)
		close(log);
	if (pid < 0)
		return errno;
	say(fds[0], "pid", pid);
	commands[command_count].pid = pid;
	commands[command_count].main = run->main;
	commands[command_count++].status = run->detached ? -1 : fds[0];
	if (!run->detached)
		fds[0] = -1;
	return 0;
}

static void handle_run(char *at, char *end, int *fds, int count)
{
	struct run_request parsed;
	int error = EINVAL;

	if (count < 1)
		return;
	fcntl(fds[0], F_SETFL, O_NONBLOCK);
	if (parse_run(at, end, &parsed) && count == (parsed.detached ? 1 : DESCRIPTORS_MAX))
		error = run(&parsed, fds);
	if (error)
		say(fds[0], "error", error);
}

static void handle_signal(char *at, char *end)
{
	char *pid_text = next_string(&at, end), *number_text = next_string(&at, end), *whom = next_string(&at, end);
	bool to_group = whom && !strcmp(whom, "group");
	uint64_t pid, number;

	if (!number_text || !parse_number(pid_text, INT32_MAX, &pid) || !parse_number(number_text, NSIG - 1, &number))
		return;
	for (int index = 0; index < command_count; index++)
		if ((uint64_t)commands[index].pid == pid)
			kill(to_group ? -(pid_t)pid : (pid_t)pid, (int)number);
}

static int take_descriptors(struct msghdr *message, int *fds)
{
	struct cmsghdr *control = CMSG_FIRSTHDR(message);
	int count;

	if (!control || control->cmsg_level != SOL_SOCKET || control->cmsg_type != SCM_RIGHTS)
		return 0;
	count = (int)((control->cmsg_len - CMSG_LEN(0)) / sizeof(int));
	memcpy(fds, CMSG_DATA(control), (size_t)count * sizeof(int));
	return count;
}

/* Takes one request, if there is one. */
static bool handle_request(int socket)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(DESCRIPTORS_MAX * sizeof(int))];
	struct iovec vector = { .iov_base = request, .iov_len = sizeof(request) };
	struct msghdr message = {
		.msg_iov = &vector, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)
	};
	ssize_t length = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
	int fds[DESCRIPTORS_MAX] = { -1, -1, -1, -1 };
	char *at = request, *end = request + length, *word;
	int count;

	if (length < 0)
		return false;
	count = take_descriptors(&message, fds);
	if (length > 0 && end[-1] == '\0' && !(message.msg_flags & (MSG_TRUNC | MSG_CTRUNC))) {
		word = next_string(&at, end);
		if (!strcmp(word, "run"))
			handle_run(at, end, fds, count);
		else if (!strcmp(word, "signal"))
			handle_signal(at, end);
	}
	for (int index = 0; index < count; index++)
		if (fds[index] >= 0)
			close(fds[index]);
	if (length > 4096) /* an init stays small */
		madvise(request, sizeof(request), MADV_DONTNEED);
	return true;
}

_Noreturn void serve_commands(int socket)
{
	struct signalfd_siginfo dropped[16];
	sigset_t all;

	fill_signals(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	struct pollfd polled[2] = {
		{ .fd = signalfd(-1, &all, SFD_CLOEXEC | SFD_NONBLOCK), .events = POLLIN },
		{ .fd = socket, .events = POLLIN },
	};
	for (;;) {
		poll(polled, 2, -1);
		while (read(polled[0].fd, dropped, sizeof(dropped)) > 0)
			; /* SIGCHLD says that there is something to reap; no other signal means anything to an init */
		reap();
		for (int round = 0; round < REQUESTS_PER_ROUND && handle_request(socket); round++)
			;
	}
}
