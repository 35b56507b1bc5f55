/*
 * Ids in the user namespace that an ordinary user's launcher makes: 0 is the user himself, and from 1 on come the
 * subordinate ids he was given, if there is a program that may map them (newuidmap(1)). The daemon says so in the
 * environment: NSDIR_UIDS and NSDIR_GIDS are `PROGRAM FIRST COUNT`.
 */
#include "nsdir-init.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

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
