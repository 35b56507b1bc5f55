/* Which of the host's mounts a container gets, read from /proc/self/mountinfo. */
#ifndef NSDIR_MOUNT_TABLE_H
#define NSDIR_MOUNT_TABLE_H

#include <stdbool.h>

/* Mounts that are looked at, and mounts bound into a container; what is beyond is left out. */
#define MOUNTS_MAX 4096
#define BINDS_MAX 512

struct mount_table {
	const char *binds[BINDS_MAX]; /* disk file systems, in the order to bind them */
	int bind_count;
	const char *cgroup2; /* where the host sees cgroup v2, or NULL */
	bool tmp_is_tmpfs;
};

/* The table for this process's mount namespace. Valid until the next call; empty if /proc cannot be read. */
const struct mount_table *read_mount_table(int mountinfo);

/* Whether `path` is `directory` or below it. */
bool is_within(const char *path, const char *directory);

#endif
