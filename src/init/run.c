/*
 * nsdir-init run [--main] [--detach LOG] [--root DIR] [--cwd DIR] SOCKET -- COMMAND [ARGUMENT...]
 *
 * Has the init behind SOCKET run a command with this process's stdio and environment, passes every signal on to it, and
 * exits as it does: its status, 128+n for a signal, 126 and 127 as a shell, 125 if the init cannot be asked. With
 * --detach it exits as soon as the command runs, or with 126 or 127 if it is not in the container, whose root directory is
 * that of --root.
 */
#include "nsdir-init.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define UNREACHABLE 125
#define NOT_RUN 126
#define NOT_FOUND 127
#define KILLED (128 + SIGKILL)
#define CONTAINER_MARK "container=nsdir"

struct options {
	bool main;
	const char *log, *root, *cwd, *socket;
	char **command;
	int count;
};

static char payload[REQUEST_MAX];
static size_t payload_length;

static int fail(int status, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	fputs("nsdir: ", stderr);
	vfprintf(stderr, format, arguments);
	fputc('\n', stderr);
	va_end(arguments);
	return status;
}

static bool add(const char *string)
{
	size_t size = strlen(string) + 1;

	if (size > sizeof(payload) - payload_length)
		return false;
	memcpy(payload + payload_length, string, size);
	payload_length += size;
	return true;
}

static bool parse_options(int argc, char **argv, struct options *options)
{
	int at = 0;

	for (; at < argc && !strncmp(argv[at], "--", 2); at++) {
		if (!strcmp(argv[at], "--main"))
			options->main = true;
		else if (!strcmp(argv[at], "--detach") && at + 1 < argc)
			options->log = argv[++at];
		else if (!strcmp(argv[at], "--root") && at + 1 < argc)
			options->root = argv[++at];
		else if (!strcmp(argv[at], "--cwd") && at + 1 < argc)
			options->cwd = argv[++at];
		else
			return false;
	}
	if (argc - at < 3 || strcmp(argv[at + 1], "--"))
		return false;
	options->socket = argv[at];
	options->command = argv + at + 2;
	options->count = argc - at - 2;
	return true;
}

static bool fill_payload(const struct options *options)
{
	extern char **environ;
	char own_cwd[PATH_MAX], flags[3], count[16];
	const char *cwd = options->cwd ? options->cwd : getcwd(own_cwd, sizeof(own_cwd));

	snprintf(flags, sizeof(flags), "%s%s", options->main ? "m" : "", options->log ? "d" : "");
	snprintf(count, sizeof(count), "%d", options->count);
	if (!add("run") || !add(flags) || !add(cwd ? cwd : "/") || !add(options->log ? options->log : "") || !add(count))
		return false;
	for (int index = 0; index < options->count; index++)
		if (!add(options->command[index]))
			return false;
	for (char **variable = environ; *variable; variable++)
		if (strncmp(*variable, "container=", 10) && !add(*variable))
			return false;
	return add(CONTAINER_MARK);
}

static int connect_to_init(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (strlen(path) >= sizeof(address.sun_path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	strcpy(address.sun_path, path);
	return fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0 ? fd : -1;
}

static bool send_request(int init, const int *fds, int count)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(4 * sizeof(int))] = { 0 };
	struct iovec vector = { .iov_base = payload, .iov_len = payload_length };
	struct msghdr message = { .msg_iov = &vector, .msg_iovlen = 1, .msg_control = control };
	struct cmsghdr *header;
	ssize_t sent;

	message.msg_controllen = CMSG_SPACE((size_t)count * sizeof(int));
	header = CMSG_FIRSTHDR(&message);
	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN((size_t)count * sizeof(int));
	memcpy(CMSG_DATA(header), fds, (size_t)count * sizeof(int));
	do
		sent = sendmsg(init, &message, MSG_NOSIGNAL);
	while (sent < 0 && errno == EINTR);
	return sent >= 0;
}

/* A line the init wrote. Returns the status to exit with, or -1 to go on; *pid is set when the command runs. */
static int handle_line(const char *line, const struct options *options, int *pid)
{
	int number;

	if (sscanf(line, "pid %d", pid) == 1)
		return options->log ? 0 : -1;
	if (sscanf(line, "error %d", &number) == 1 && options->log && number != EAGAIN && number != EINVAL)
		return fail(NOT_RUN, "cannot open %s for the output, as the container sees it: %s", options->log,
			    strerror(number));
	if (sscanf(line, "error %d", &number) == 1)
		return fail(NOT_RUN, "cannot run \"%s\": %s", options->command[0], strerror(number));
	if (sscanf(line, "status %d", &number) == 1)
		return WIFSIGNALED(number) ? 128 + WTERMSIG(number) : WEXITSTATUS(number);
	return -1;
}

/* Reads what the init wrote. Returns as handle_line; the end of the pipe means that init and command were killed. */
static int read_status(int status, const struct options *options, int *pid)
{
	static char text[256];
	static size_t length;
	ssize_t got = read(status, text + length, sizeof(text) - 1 - length);
	char *end;

	if (got < 0)
		return errno == EINTR ? -1 : fail(UNREACHABLE, "cannot read from the container's init: %s", strerror(errno));
	if (got == 0)
		return KILLED;
	length += (size_t)got;
	text[length] = '\0';
	while ((end = strchr(text, '\n'))) {
		int result;

		*end = '\0';
		result = handle_line(text, options, pid);
		if (result >= 0)
			return result;
		length -= (size_t)(end + 1 - text);
		memmove(text, end + 1, length + 1);
	}
	return -1;
}

static void send_signal(int init, int pid, uint32_t number, bool to_group)
{
	char text[64];
	int length = snprintf(text, sizeof(text), "signal%c%d%c%u%c%s", 0, pid, 0, number, 0, to_group ? "group" : "");

	send(init, text, (size_t)length + 1, MSG_NOSIGNAL);
}

/* What a terminal sends is for the whole group of the command, as it would be without us; ^Z stops us with it. */
static void forward_signals(int signals, int init, int pid)
{
	static bool stopped;
	struct signalfd_siginfo info;

	while (read(signals, &info, sizeof(info)) == sizeof(info)) {
		bool from_terminal = info.ssi_code == SI_KERNEL;

		if (from_terminal && info.ssi_signo == SIGTSTP) {
			/* Its group is an orphaned one, which SIGTSTP does not stop (setpgid(2)). */
			send_signal(init, pid, SIGSTOP, true);
			stopped = true;
			raise(SIGSTOP);
		} else if (stopped && info.ssi_signo == SIGCONT) {
			send_signal(init, pid, SIGCONT, true);
			stopped = false;
		} else {
			send_signal(init, pid, info.ssi_signo, from_terminal);
		}
	}
}

static int wait_for_end(const struct options *options, int init, int status, int signals)
{
	int pid = 0;

	for (;;) {
		struct pollfd polled[2] = {
			{ .fd = status, .events = POLLIN },
			{ .fd = pid ? signals : -1, .events = POLLIN }, /* a signal waits for its command */
		};
		int result = -1;

		if (poll(polled, 2, -1) < 0)
			continue;
		if (polled[1].revents)
			forward_signals(signals, init, pid);
		if (polled[0].revents)
			result = read_status(status, options, &pid);
		if (result >= 0)
			return result;
	}
}

/* Everything but what tells of children is passed on; KILL and STOP cannot be. */
static int catch_signals(void)
{
	sigset_t caught;

	fill_signals(&caught);
	sigdelset(&caught, SIGCHLD);
	sigprocmask(SIG_SETMASK, &caught, NULL);
	return signalfd(-1, &caught, SFD_CLOEXEC | SFD_NONBLOCK);
}

int run_main(int argc, char **argv)
{
	struct options options = { 0 };
	int fds[4] = { -1, 0, 1, 2 }, ends[2], init, signals, missing = 0, status;

	if (!parse_options(argc, argv, &options))
		return fail(UNREACHABLE, "usage: run [--main] [--detach LOG] [--root DIR] [--cwd DIR] SOCKET -- COMMAND [ARGUMENT...]");
	if (!fill_payload(&options))
		return fail(NOT_RUN, "cannot run \"%s\": arguments and environment have more than %d bytes",
			    options.command[0], REQUEST_MAX);
	for (int fd = 0; fd < 3; fd++) /* a closed one is /dev/null inside, and no descriptor of ours */
		if (fcntl(fd, F_GETFD) < 0)
			open("/dev/null", O_RDWR);
	if (options.log && options.root)
		missing = lookup_in(options.root, options.cwd ? options.cwd : "/", options.command[0]);
	signals = catch_signals();
	if (pipe2(ends, O_CLOEXEC) || signals < 0)
		return fail(UNREACHABLE, "cannot make a pipe: %s", strerror(errno));
	fds[0] = ends[1];
	init = connect_to_init(options.socket);
	if (init < 0 || !send_request(init, fds, options.log ? 1 : 4))
		return fail(UNREACHABLE, "cannot reach the container's init at %s: %s%s", options.socket, strerror(errno),
			    errno == EACCES ? "; its owner and root run commands in it" : "");
	close(ends[1]);
	status = wait_for_end(&options, init, ends[0], signals);
	if (status || !missing)
		return status;
	return fail(missing == ENOENT ? NOT_FOUND : NOT_RUN, "cannot run \"%s\": %s", options.command[0], strerror(missing));
}
