/* What a process is by itself: its start time, descriptors, signals, limits and title. */
#include "nsdir-init.h"

#include <limits.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifndef SYS_close_range
#define SYS_close_range 436
#endif

/* Words of a command line given as lines. */
#define ARGUMENTS_MAX 512

static char *title;
static size_t title_size;

/* Clock ticks since boot at which `pid` was started, 0 if there is no such process. A zombie still has one. */
uint64_t start_time_of(pid_t pid)
{
	char path[32], text[1024];
	ssize_t length;
	char *at;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	length = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (length <= 0)
		return 0;
	text[length] = '\0';
	at = strrchr(text, ')'); /* the name may have spaces and parentheses itself */
	for (int field = 0; at && field < FIELDS_BEFORE_START; field++)
		at = strchr(at + 1, ' ');
	return at ? strtoull(at + 1, NULL, 10) : 0;
}

/* By the monotonic clock. */
int64_t now_ms(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

/*
 * Whether `pid` is a child of this process that it has not reaped; *ended says if it is a zombie. Of one that is, no other
 * process gets the number before it is reaped.
 */
bool is_child(pid_t pid, bool *ended)
{
	siginfo_t dead = { 0 };

	if (pid <= 0 || waitid(P_PID, (id_t)pid, &dead, WEXITED | WNOHANG | WNOWAIT | __WALL))
		return false;
	*ended = dead.si_pid == pid;
	return true;
}

static void close_between(unsigned int first, unsigned int last)
{
	if (first > last || syscall(SYS_close_range, first, last, 0) == 0)
		return;
	for (unsigned int fd = first; fd <= last && fd < 65536; fd++) /* before Linux 5.9 */
		close((int)fd);
}

/* Closes every descriptor above 2 but the `count` of `kept`, of which those below 3 mean nothing. */
void close_all_but(const int *kept, int count)
{
	unsigned int first = 3;

	for (;;) {
		unsigned int next = ~0U;

		for (int index = 0; index < count; index++)
			if (kept[index] >= (int)first && (unsigned int)kept[index] < next)
				next = (unsigned int)kept[index];
		close_between(first, next == ~0U ? next : next - 1);
		if (next == ~0U)
			return;
		first = next + 1;
	}
}

/* Every signal there is, also those that a C library keeps for itself: sigfillset(3) leaves them out. */
void fill_signals(sigset_t *set)
{
	memset(set, 0xff, sizeof(*set));
}

/* Every disposition to its default, and nothing blocked. */
void reset_signals(void)
{
	static const struct {
		_Alignas(8) char zeros[32]; /* the kernel's struct sigaction; a handler of 0 is SIG_DFL */
	} by_default;
	sigset_t none;

	/* Not by signal(3), which does not touch those that the C library keeps for itself. */
	for (int number = 1; number < NSIG; number++)
		syscall(SYS_rt_sigaction, number, &by_default, NULL, (NSIG - 1) / 8);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

void limit_open_files(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) || limit.rlim_cur <= OPEN_FILES)
		return;
	limit.rlim_cur = OPEN_FILES;
	setrlimit(RLIMIT_NOFILE, &limit);
}

/*
 * What a process of a user's may have, whatever who mounted has; the rest is as with him. Never more than this process has, as
 * it may not be allowed to give more.
 */
static const struct {
	int resource;
	rlim_t soft, hard;
} OF_USER[] = {
	{ RLIMIT_NOFILE, OPEN_FILES, 524288 },
	{ RLIMIT_CORE, 0, RLIM_INFINITY },
	{ RLIMIT_MEMLOCK, 8 << 20, 8 << 20 }, /* as the kernel has it */
	{ RLIMIT_NICE, 0, 0 },
	{ RLIMIT_RTPRIO, 0, 0 },
};

static rlim_t smaller(rlim_t one, rlim_t other)
{
	return one < other ? one : other;
}

/* 0, or -1 with errno. */
int limit_as_user(void)
{
	for (size_t row = 0; row < sizeof(OF_USER) / sizeof(*OF_USER); row++) {
		struct rlimit limit;

		if (getrlimit(OF_USER[row].resource, &limit))
			return -1;
		limit.rlim_max = smaller(limit.rlim_max, OF_USER[row].hard);
		limit.rlim_cur = smaller(limit.rlim_max, OF_USER[row].soft);
		if (setrlimit(OF_USER[row].resource, &limit))
			return -1;
	}
	return 0;
}

/* The memory /proc/PID/cmdline shows: from here on it may be written over, so `argv` must not be used. */
void remember_title(int argc, char **argv)
{
	title = argv[0];
	title_size = (size_t)(argv[argc - 1] + strlen(argv[argc - 1]) + 1 - argv[0]);
	for (int index = 0; index < argc; index++)
		argv[index] = strdup(argv[index]);
}

void set_title(const char *name)
{
	prctl(PR_SET_NAME, "nsdir-init");
	if (!title_size)
		return;
	memset(title, 0, title_size);
	snprintf(title, title_size, "nsdir-init %s", name);
}

/* The file that execvp(3) found for `name`: the first that may be executed. */
static const char *executable(const char *name)
{
	static char path[PATH_MAX];
	const char *at = getenv("PATH"), *end;

	if (strchr(name, '/'))
		return name;
	for (at = at ? at : "/bin:/usr/bin";; at = end + 1) {
		end = strchrnul(at, ':');
		snprintf(path, sizeof(path), "%.*s/%s", end > at ? (int)(end - at) : 1, end > at ? at : ".", name);
		if (access(path, X_OK) == 0 || !*end)
			return path;
	}
}

/* A script without `#!`, by sh, as execvp(3) has it in some C libraries only. */
static void execute_script(char **argv)
{
	size_t argc = 0;
	char **with_shell;

	while (argv[argc])
		argc++;
	with_shell = calloc(argc + 2, sizeof(*with_shell));
	if (with_shell) {
		memcpy(with_shell + 1, argv, argc * sizeof(*argv));
		with_shell[0] = "sh";
		with_shell[1] = (char *)executable(argv[0]);
		execv("/bin/sh", with_shell);
	}
	errno = ENOEXEC;
}

void execute_lines(const char *lines)
{
	static char *argv[ARGUMENTS_MAX + 1];
	char *words = strdup(lines), *environment[] = { "PATH=/usr/sbin:/usr/bin:/sbin:/bin", NULL }, *next;
	int count = 0;

	while (count < ARGUMENTS_MAX && (next = strsep(&words, "\n")))
		argv[count++] = next;
	execve(argv[0], argv, environment);
}

void execute_command(char **argv)
{
	execvp(argv[0], argv);
	if (errno == ENOEXEC)
		execute_script(argv);
}
