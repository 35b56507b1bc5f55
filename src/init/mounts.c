/* A container's own mount tree: the one CRIU can dump, and of the host only its disk file systems. */
#include "nsdir-init.h"
#include "mount-table.h"
#include "trees.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/* Where the new root is put together: every root has this directory, and nobody else sees what is mounted on it here. */
#define STAGING "/proc"

#define QUIET (MS_NOSUID | MS_NODEV | MS_NOEXEC)

/* File systems of the container's own, in this order; one more is one more row. */
static const struct {
	const char *type, *target;
	unsigned long flags;
	const char *data;
	bool make; /* the target is to be made */
} FRESH[] = {
	{ "proc", "proc", QUIET, NULL, false },
	{ "sysfs", "sys", QUIET | MS_RDONLY, NULL, false },
	{ "tmpfs", "dev", MS_NOSUID, "mode=0755", false },
	{ "devpts", "dev/pts", MS_NOSUID | MS_NOEXEC, "newinstance,ptmxmode=0666,mode=620,gid=5", true },
	{ "tmpfs", "dev/shm", MS_NOSUID | MS_NODEV, "mode=1777", true },
	{ "tmpfs", "run", MS_NOSUID | MS_NODEV, "mode=0755", false },
};

static const struct {
	const char *path;
	unsigned int major, minor;
} DEVICES[] = {
	{ "dev/null", 1, 3 },	{ "dev/zero", 1, 5 },	 { "dev/full", 1, 7 },
	{ "dev/random", 1, 8 }, { "dev/urandom", 1, 9 }, { "dev/tty", 5, 0 },
};

static const struct {
	const char *path, *target;
} LINKS[] = {
	{ "dev/ptmx", "pts/ptmx" },
	{ "dev/fd", "/proc/self/fd" },
	{ "dev/stdin", "/proc/self/fd/0" },
	{ "dev/stdout", "/proc/self/fd/1" },
	{ "dev/stderr", "/proc/self/fd/2" },
};

static int watched = -1;
static const struct mount_table *known;

/* In the launcher, once: from now on `refresh_mounts` costs one poll as long as nothing changed. */
void watch_mounts(void)
{
	watched = open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC);
	if (watched >= 0)
		known = read_mount_table(watched);
}

/* In the launcher, before a start: the kernel says so when the mount table changed (proc_pid_mounts(5)). */
void refresh_mounts(void)
{
	struct pollfd change = { .fd = watched, .events = POLLPRI };

	if (watched >= 0 && poll(&change, 1, 0) > 0)
		known = read_mount_table(watched);
}

/* The table of the namespace the container is made from, which for a nested one is not the launcher's. */
const struct mount_table *table_for(const struct spec *spec)
{
	const struct mount_table *table;
	int mountinfo;

	if (host_trees.table)
		return host_trees.table;
	if (!spec->parent && known)
		return known;
	mountinfo = open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC);
	table = read_mount_table(mountinfo);
	close(mountinfo);
	return table;
}

static const char *fill_dev(void)
{
	for (size_t row = 0; row < sizeof(DEVICES) / sizeof(*DEVICES); row++) {
		const char *path = DEVICES[row].path;
		char host[32];
		int fd;

		if (mknod(path, S_IFCHR | 0666, makedev(DEVICES[row].major, DEVICES[row].minor)) == 0)
			continue;
		if (errno != EPERM) /* where devices cannot be made, the host's are bound */
			return "make a device";
		snprintf(host, sizeof(host), "/%s", path);
		fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0666);
		if (fd < 0 || mount(host, path, NULL, MS_BIND, NULL))
			return "bind a device";
		close(fd);
	}
	for (size_t row = 0; row < sizeof(LINKS) / sizeof(*LINKS); row++)
		if (symlink(LINKS[row].target, LINKS[row].path))
			return "make a link in /dev";
	return NULL;
}

/* With its own cgroup namespace, the container's view; else what the host sees: a mount from there would change options of it. */
static bool mount_cgroup(const struct spec *spec, const struct mount_table *table)
{
	if (spec->flags & CLONE_NEWCGROUP)
		return mount("cgroup2", "sys/fs/cgroup", "cgroup2", QUIET, NULL) == 0 || errno == EBUSY; /* that it is there */
	return !table->cgroup2 || mount(table->cgroup2, "sys/fs/cgroup", NULL, MS_BIND, NULL) == 0;
}

/* The name service's addresses, where /etc/resolv.conf is a link into /run, which the container has its own of. */
static void keep_resolver(void)
{
	char path[PATH_MAX], copy[PATH_MAX + sizeof(STAGING)], text[16384];
	struct stat link;
	ssize_t length;
	int from, to;

	if (lstat("/etc/resolv.conf", &link) || !S_ISLNK(link.st_mode))
		return;
	from = open("/etc/resolv.conf", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (from < 0)
		return;
	length = readlink("/etc/resolv.conf", path, sizeof(path) - 1);
	path[length > 0 ? length : 0] = '\0';
	if (!strncmp(path, "../run/", 7))
		memmove(path, path + 2, strlen(path + 2) + 1);
	if (is_within(path, "/run")) {
		snprintf(copy, sizeof(copy), STAGING "%s", path);
		make_path(copy, false);
		to = open(copy, O_CREAT | O_WRONLY | O_CLOEXEC, 0644);
		while (to >= 0 && (length = read(from, text, sizeof(text))) > 0 && write_fully(to, text, (size_t)length))
			;
		close(to);
	}
	close(from);
}

static void bind_disks(const struct spec *spec, const struct mount_table *table)
{
	char target[PATH_MAX];
	int none = -1;

	for (int index = 0; index < table->bind_count; index++) {
		const char *point = table->binds[index];

		/* One that has no place in the container, or went away meanwhile, is left out. */
		if (!is_within(point, spec->mount_point) &&
		    snprintf(target, sizeof(target), STAGING "%s", point) < (int)sizeof(target))
			bind_host_tree(host_trees.table ? &host_trees.disks[index] : &none, point, target);
	}
}

/*
 * In a user namespace that has not all ids, there may be no group 5; and a sysfs is for who has the network that it shows
 * (user_namespaces(7)): then the machine's is bound, if there is no copy of it with all that is locked to it.
 */
static int mount_in_user_namespace(const char *type, const char *target, unsigned long flags)
{
	if (!strcmp(type, "devpts") && errno == EINVAL)
		return mount(type, target, type, flags, "newinstance,ptmxmode=0666,mode=620");
	if (!strcmp(type, "sysfs") && errno == EPERM) {
		if (host_trees.sys < 0)
			return mount("/sys", target, NULL, MS_BIND | MS_REC, NULL);
		if (bind_host_tree(&host_trees.sys, "/sys", target))
			return -1;
		return mount(NULL, target, NULL, MS_BIND | MS_REMOUNT | flags, NULL);
	}
	return -1;
}

static const char *mount_fresh(const struct mount_table *table)
{
	for (size_t row = 0; row < sizeof(FRESH) / sizeof(*FRESH); row++) {
		if (FRESH[row].make)
			mkdir(FRESH[row].target, 0755);
		if (mount(FRESH[row].type, FRESH[row].target, FRESH[row].type, FRESH[row].flags, FRESH[row].data) &&
		    mount_in_user_namespace(FRESH[row].type, FRESH[row].target, FRESH[row].flags))
			return FRESH[row].target;
	}
	if (table->tmp_is_tmpfs && mount("tmpfs", "tmp", "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777"))
		return "mount tmp";
	return NULL;
}

/*
 * In a user namespace the host's mounts are locked together (mount_namespaces(7)): without copies of them the tree stays,
 * with a new /proc. So it does in a container in one that has such a tree, which cannot be bound without what is mounted in it (EINVAL).
 */
static const char *adapt_host_tree(const struct spec *spec, int own)
{
	if (spec->flags & CLONE_NEWPID && mount("proc", "/proc", "proc", QUIET, NULL))
		return "mount proc";
	return own >= 0 && bind_own_directory(own, spec->mount_point) ? "mount its directory" : NULL;
}

/* On a bind of / at STAGING. */
static const char *build_root(const struct spec *spec, const struct mount_table *table, int own)
{
	char target[PATH_MAX];
	const char *failed;

	bind_disks(spec, table);
	if (chdir(STAGING))
		return "enter the new root";
	if ((failed = mount_fresh(table)) || (failed = fill_dev()))
		return failed;
	if (!mount_cgroup(spec, table))
		return "mount sys/fs/cgroup";
	keep_resolver();
	if ((failed = place_program(spec)))
		return failed;
	snprintf(target, sizeof(target), STAGING "%s", spec->mount_point);
	return own >= 0 && bind_own_directory(own, target) ? "mount its directory" : NULL;
}

/* In the init, in its new mount namespace: gives it its own tree. NULL, or the step that failed, with errno. */
const char *own_mount_tree(const struct spec *spec)
{
	const struct mount_table *table;
	const char *failed;
	int own = -1;

	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL))
		return "make mounts private";
	if (spec->inode && (own = open_own_directory(spec)) < 0)
		return "open its directory";
	if (spec->flags & CLONE_NEWUSER && !host_trees.table)
		return adapt_host_tree(spec, own);
	table = table_for(spec); /* before /proc is covered */
	failed = bind_host_tree(&host_trees.root, "/", STAGING) ? "bind /" : NULL;
	if (failed && errno == EINVAL)
		return adapt_host_tree(spec, own);
	if (failed || (failed = build_root(spec, table, own)))
		return failed;
	close_host_trees();
	if (chdir(STAGING) || syscall(SYS_pivot_root, ".", "."))
		return "pivot_root";
	if (umount2(".", MNT_DETACH))
		return "detach the host's tree";
	return NULL;
}
