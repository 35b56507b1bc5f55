/* A container's own directory in the daemon's tree, which it sees at the mount point as if it were the whole. */
#include "nsdir-init.h"
#include "trees.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Of linux/stat.h, which C libraries lack (Linux 4.11). */
#ifndef AT_STATX_DONT_SYNC
#define AT_STATX_DONT_SYNC 0x4000
#endif
#ifndef STATX_INO
#define STATX_INO 0x100
#endif
struct statx_fields {
	uint32_t mask, block_size;
	uint64_t attributes;
	uint32_t links, uid, gid;
	uint16_t mode, spare;
	uint64_t inode;
	char rest[216];
};

/* Goes down from `directory` by one name, no symlink; closes `directory`. */
static int step_down(int directory, const char *name)
{
	int next = openat(directory, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	int error = errno;

	close(directory);
	errno = error;
	return next;
}

/* Inode number of an open file, as the kernel knows it: the daemon, which waits for us, is not asked (statx(2)). */
static int inode_of(int fd, uint64_t *inode)
{
	struct statx_fields found;
	struct stat old;

	if (syscall(SYS_statx, fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_INO, &found) == 0) {
		*inode = found.inode;
		return 0;
	}
	if (fstat(fd, &old)) /* before Linux 4.11 */
		return -1;
	*inode = old.st_ino;
	return 0;
}

/* Opens the container's own directory in the daemon's tree; its path may be longer than PATH_MAX. -1 with errno. */
int open_own_directory(const struct spec *spec)
{
	int directory = open(spec->mount_point, O_PATH | O_DIRECTORY | O_CLOEXEC);
	char name[NAME_MAX + 1];
	uint64_t inode;

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
	if (directory < 0 || inode_of(directory, &inode))
		return -1;
	if (inode == spec->inode)
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

static int mount_by_path(int directory, const char *target)
{
	if (fchdir(directory) == 0)
		return mount(".", target, NULL, MS_BIND, NULL);
	errno = ESTALE;
	return -1;
}

/* Binds an open directory, by its path where the kernel cannot do it by descriptor (before Linux 5.2). */
static int bind_directory(int own, const char *target)
{
	int tree = copy_tree(own, "");

	return tree < 0 ? mount_by_path(own, target) : move_tree(&tree, target);
}

/*
 * Binds the directory `own` on `target`, and closes it: from a descriptor of the daemon's tree `..` would lead out of the
 * container. Where the target cannot be made, the container is without a view of the tree.
 */
int bind_own_directory(int own, const char *target)
{
	int result = bind_directory(own, target);

	if (result && errno == ENOENT) {
		make_path(target, true);
		result = bind_directory(own, target);
	}
	if (result && (errno == ENOENT || errno == ENOTDIR))
		result = 0;
	close(own);
	return result;
}
