#include "trees.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Of linux/mount.h, which older headers lack (Linux 5.2). */
#ifndef SYS_open_tree
#define SYS_open_tree 428
#endif
#ifndef SYS_move_mount
#define SYS_move_mount 429
#endif
#ifndef OPEN_TREE_CLONE
#define OPEN_TREE_CLONE 1
#endif
#ifndef OPEN_TREE_CLOEXEC
#define OPEN_TREE_CLOEXEC O_CLOEXEC
#endif
#ifndef MOVE_MOUNT_F_EMPTY_PATH
#define MOVE_MOUNT_F_EMPTY_PATH 4
#endif

struct host_trees host_trees = { .table = NULL, .root = -1, .sys = -1, .program = -1 };

int copy_tree(int directory, const char *path)
{
	const int flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | (*path ? 0 : AT_EMPTY_PATH);

	return (int)syscall(SYS_open_tree, directory, path, flags);
}

int move_tree(int *tree, const char *target)
{
	int result = (int)syscall(SYS_move_mount, *tree, "", AT_FDCWD, target, MOVE_MOUNT_F_EMPTY_PATH);
	int error = errno;

	close(*tree);
	*tree = -1;
	errno = error;
	return result;
}

int bind_host_tree(int *tree, const char *source, const char *target)
{
	if (*tree < 0)
		return mount(source, target, NULL, MS_BIND, NULL);
	/* A copy shares with the host what is mounted in it later, if the host's does (mount_namespaces(7)). */
	return move_tree(tree, target) || mount(NULL, target, NULL, MS_PRIVATE, NULL) ? -1 : 0;
}

/*
 * A procfs of its own, which only a pid namespace of its own allows, is part of such a tree. And what lies under the host's
 * mounts stays hidden from who is not root outside.
 */
void copy_host_trees(const struct spec *spec)
{
	const uint64_t needed = CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID;
	const struct mount_table *table;
	char program[PATH_MAX];

	if ((spec->flags & needed) != needed || spec->owner || geteuid())
		return;
	host_trees.root = copy_tree(AT_FDCWD, "/");
	if (host_trees.root < 0)
		return;
	host_trees.table = table = table_for(spec);
	host_trees.sys = copy_tree(AT_FDCWD, "/sys");
	if (program_beside(spec, program))
		host_trees.program = copy_tree(AT_FDCWD, program);
	for (int index = 0; index < table->bind_count; index++)
		host_trees.disks[index] = copy_tree(AT_FDCWD, table->binds[index]);
}

int list_host_trees(int descriptors[HOST_TREES_MAX])
{
	int count = 0;

	if (!host_trees.table)
		return 0;
	descriptors[count++] = host_trees.root;
	descriptors[count++] = host_trees.sys;
	descriptors[count++] = host_trees.program;
	for (int index = 0; index < host_trees.table->bind_count; index++)
		descriptors[count++] = host_trees.disks[index];
	return count;
}

void close_host_trees(void)
{
	int descriptors[HOST_TREES_MAX];
	int count = list_host_trees(descriptors);

	for (int index = 0; index < count; index++)
		if (descriptors[index] >= 0)
			close(descriptors[index]);
	host_trees.table = NULL;
	host_trees.root = host_trees.sys = host_trees.program = -1;
}
