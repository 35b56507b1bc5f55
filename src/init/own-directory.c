/* A container's own directory in the daemon's tree, which it sees at the mount point as if it were the whole. */
#include "nsdir-init.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

/* Goes down from `directory` by one name, no symlink; closes `directory`. */
static int step_down(int directory, const char *name)
{
	int next = openat(directory, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	int error = errno;

	close(directory);
	errno = error;
	return next;
}

/* Opens the container's own directory in the daemon's tree; its path may be longer than PATH_MAX. -1 with errno. */
int open_own_directory(const struct spec *spec)
{
	int directory = open(spec->mount_point, O_PATH | O_DIRECTORY | O_CLOEXEC);
	char name[NAME_MAX + 1];
	struct stat found;

	for (const char *at = spec->path; directory >= 0 && *at;) {
		size_t length = strcspn(at, "/");

		if (length > NAME_MAX) {
			errno = ENAMETOOLONG;
			return -1;
		}
		memcpy(name, at, length);
		name[length] = '\0';
		if (length > 0)
			directory = step_down(directory, name);
		at += length + (at[length] == '/');
	}
	if (directory < 0 || fstat(directory, &found))
		return -1;
	if (found.st_ino == spec->inode)
		return directory;
	errno = ESTALE;
	return -1;
}

/* Makes a directory and those above it, as far as possible. */
void make_path(const char *path, bool with_last)
{
	char part[PATH_MAX];

	for (const char *at = path + 1; (at = strchr(at, '/')); at++) {
		snprintf(part, sizeof(part), "%.*s", (int)(at - path), path);
		mkdir(part, 0755);
	}
	if (with_last)
		mkdir(path, 0755);
}

/*
 * Binds the directory `own` on `target`, and closes it: from a descriptor of the daemon's tree `..` would lead out of the
 * container. Where the target cannot be made, the container is without a view of the tree.
 */
int bind_own_directory(int own, const char *target)
{
	int entered = fchdir(own);

	close(own);
	if (entered)
		return -1;
	if (mount(".", target, NULL, MS_BIND, NULL) == 0)
		return 0;
	if (errno != ENOENT)
		return errno == ENOTDIR ? 0 : -1;
	make_path(target, true);
	return mount(".", target, NULL, MS_BIND, NULL) && errno != ENOENT && errno != ENOTDIR ? -1 : 0;
}
