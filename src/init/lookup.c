/*
 * Whether a container has a command, looked at from outside before it is detached: nobody waits for that, so nobody would
 * be told. Names and modes are looked at; what cannot be known is taken to be there, and the container's log tells.
 */
#include "nsdir-init.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* openat2(2), Linux 5.6, which headers of older C libraries do not have; of all machines it is the same number. */
#ifndef SYS_openat2
#define SYS_openat2 437
#endif
#define IN_ROOT 0x10

struct how {
	uint64_t flags, mode, resolve;
};

/* As execvp(3) has it without PATH. */
#define USUAL_PATH "/bin:/usr/bin"

/* A descriptor of `path` with `root` for "/", also in symbolic links, or -1. */
static int open_in(int root, const char *path)
{
	struct how how = { .flags = O_PATH | O_CLOEXEC, .resolve = IN_ROOT };

	return (int)syscall(SYS_openat2, root, path, &how, sizeof(how));
}

/* 0, or the errno with which execve(2) would refuse the file. */
static int refusal_of(int root, const char *path)
{
	int fd = open_in(root, path), error = 0;
	struct stat status;

	if (fd < 0)
		return errno;
	if (fstat(fd, &status) == 0 && (!S_ISREG(status.st_mode) || !(status.st_mode & 0111)))
		error = EACCES;
	close(fd);
	return error;
}

/* What lies in /proc is another for who looks from outside. */
static bool is_told(const char *path)
{
	return strncmp(path, "/proc/", 6) != 0;
}

/* Of one directory of PATH, or of the working directory where that is empty. */
static int refusal_at(int root, const char *cwd, const char *directory, int length, const char *name)
{
	char path[PATH_MAX];
	bool absolute = directory[0] == '/' && length > 0;
	int size = snprintf(path, sizeof(path), "%s%s%.*s/%s", absolute ? "" : cwd, absolute ? "" : "/", length, directory, name);

	if (size >= (int)sizeof(path) || !is_told(path))
		return 0;
	return refusal_of(root, path);
}

/* As execvp(3) goes through PATH: 0 for the first that there is, or of which nothing can be told. */
static int refusal_in_path(int root, const char *cwd, const char *path, const char *name)
{
	int error = ENOENT;

	for (const char *at = path, *end;; at = end + 1) {
		int found;

		end = at + strcspn(at, ":");
		found = refusal_at(root, cwd, at, (int)(end - at), name);
		if (found != ENOENT && found != ENOTDIR && found != EACCES)
			return 0;
		if (found == EACCES)
			error = EACCES;
		if (!*end)
			return error;
	}
}

int lookup_in(const char *root_path, const char *cwd, const char *name)
{
	const char *path = getenv("PATH");
	int root = open(root_path, O_PATH | O_DIRECTORY | O_CLOEXEC), error, there;

	if (root < 0)
		return 0;
	there = open_in(root, cwd);
	if (there < 0)
		cwd = "/";
	else
		close(there);
	if (!strchr(name, '/'))
		error = refusal_in_path(root, cwd, path ? path : USUAL_PATH, name);
	else if (name[0] == '/')
		error = is_told(name) ? refusal_of(root, name) : 0;
	else
		error = refusal_at(root, cwd, "", 0, name);
	close(root);
	return error == ENOENT || error == EACCES ? error : 0;
}
