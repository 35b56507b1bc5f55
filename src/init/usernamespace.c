/*
 * Ids in new user namespaces. In one of root's they are what they are outside; owner.c has those of users in root's tree.
 * In one that an ordinary user's launcher makes 0 is the user himself, and from 1 on come the subordinate ids he was given,
 * if there is a program that may map them (newuidmap(1)). The daemon says so in the environment: NSDIR_UIDS and NSDIR_GIDS
 * are `PROGRAM FIRST COUNT`.
 */
#include "nsdir-init.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif

/* The number that the instance of procfs at `proc` has for this process's child `pid`, or -1 (pidfd_open(2)). */
int number_in(int proc, pid_t pid)
{
	int pidfd = (int)syscall(SYS_pidfd_open, pid, 0), fd, number = -1;
	char path[48], text[1024];
	ssize_t length;
	char *at;

	snprintf(path, sizeof(path), "self/fdinfo/%d", pidfd);
	fd = openat(proc, path, O_RDONLY | O_CLOEXEC);
	length = read(fd, text, sizeof(text) - 1);
	text[length > 0 ? length : 0] = '\0';
	if ((at = strstr(text, "\nPid:")))
		sscanf(at, "\nPid: %d", &number);
	close(fd);
	close(pidfd);
	return number;
}

/*
 * Writes an identity map of all ids that this process's own user namespace has, for a child in a new one
 * (user_namespaces(7)). Must be done from the parent namespace.
 */
int map_ids(int proc, pid_t pid, const char *file)
{
	char own[4096], map[4096], path[48];
	unsigned int inside, outside, count;
	int used, fd, length = 0;
	ssize_t size;

	snprintf(path, sizeof(path), "self/%s", file);
	fd = openat(proc, path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	size = read(fd, own, sizeof(own) - 1);
	close(fd);
	own[size > 0 ? size : 0] = '\0';
	for (char *at = own; sscanf(at, "%u %u %u%n", &inside, &outside, &count, &used) == 3; at += used)
		length += snprintf(map + length, sizeof(map) - (size_t)length, "%u %u %u\n", inside, inside, count);
	snprintf(path, sizeof(path), "%d/%s", number_in(proc, pid), file);
	fd = openat(proc, path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	size = write(fd, map, (size_t)length);
	close(fd);
	return size == length ? 0 : -1;
}

static int write_file(pid_t pid, const char *file, const char *text)
{
	char path[48];
	int fd, result;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, file);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	result = dprintf(fd, "%s", text) > 0 ? 0 : -1;
	close(fd);
	return result;
}

/* Whether the setuid program mapped `own` to 0 and the subordinate ids to what follows. */
static bool map_by_program(pid_t pid, const char *variable, unsigned int own)
{
	const char *given = getenv(variable);
	char program[PATH_MAX], first[16], count[16], target[16], id[16];
	int status;
	pid_t child;

	if (!given || sscanf(given, "%4095s %15s %15s", program, first, count) != 3)
		return false;
	snprintf(target, sizeof(target), "%d", pid);
	snprintf(id, sizeof(id), "%u", own);
	child = fork();
	if (child == 0) {
		execl(program, program, target, "0", id, "1", "1", first, count, (char *)NULL);
		_exit(127);
	}
	return child > 0 && waitpid(child, &status, 0) == child && status == 0;
}

/* Maps the ids of a child in a new user namespace, for a launcher that is not root. -1 with errno. */
int map_ids_of_user(pid_t pid)
{
	char map[32];

	if (!map_by_program(pid, "NSDIR_UIDS", geteuid())) {
		snprintf(map, sizeof(map), "0 %u 1\n", geteuid());
		if (write_file(pid, "uid_map", map))
			return -1;
	}
	if (map_by_program(pid, "NSDIR_GIDS", getegid()))
		return 0;
	snprintf(map, sizeof(map), "0 %u 1\n", getegid());
	return write_file(pid, "setgroups", "deny") || write_file(pid, "gid_map", map) ? -1 : 0;
}
