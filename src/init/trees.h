/* Copies of mounts, which are mounted nowhere until they are moved: open_tree(2), move_mount(2) (Linux 5.2). */
#ifndef NSDIR_TREES_H
#define NSDIR_TREES_H

#include "nsdir-init.h"
#include "mount-table.h"

/* The mount at `path`, or of the open directory itself if that is "", without what is mounted in it. -1 with errno. */
int copy_tree(int directory, const char *path);

/* Mounts a copy on `target`, and closes it. -1 with errno. */
int move_tree(int *tree, const char *target);

/*
 * What a container with a user namespace gets of the host's mounts. In its mount namespace they are locked together
 * (mount_namespaces(7)): none can be bound without what is mounted in it. So who clones it has copied them before, one by
 * one, and it only moves them. -1 each where there is no copy; `table` is NULL if there are none at all.
 */
struct host_trees {
	const struct mount_table *table;
	int root, sys, program;
	int disks[BINDS_MAX]; /* as `binds` of the table */
};
#define HOST_TREES_MAX (3 + BINDS_MAX)

extern struct host_trees host_trees;

/* Before the clone. None are made where they would not help: the container then keeps the tree that it is cloned with. */
void copy_host_trees(const struct spec *spec);

/* In the new mount namespace: mounts the copy, privately, or else binds `source`. 0, or -1 with errno. */
int bind_host_tree(int *tree, const char *source, const char *target);

/* After the clone, in the process that cloned; in the new one, what it has not mounted. */
void close_host_trees(void);

/* Descriptors of the copies; their number. */
int list_host_trees(int descriptors[HOST_TREES_MAX]);

#endif
