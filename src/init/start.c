/* Making a container's first process. */
#include "nsdir-init.h"
#include "trees.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SYS_clone3
#define SYS_clone3 435
#endif
#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif

/* clone_args of linux/sched.h up to `cgroup` (Linux 5.7), so that old headers do. */
struct clone3_arguments {
	_Alignas(8) uint64_t flags;
	uint64_t pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, set_tid, set_tid_size, cgroup;
};
#define INTO_CGROUP 0x200000000ULL

/* Kinds of namespaces, and where /proc shows the one that a new child would be in (namespaces(7)). */
static const struct {
	int flag;
	const char *link;
} KINDS[] = {
	{ CLONE_NEWUSER, "user" },
	{ CLONE_NEWNS, "mnt" },
	{ CLONE_NEWUTS, "uts" },
	{ CLONE_NEWIPC, "ipc" },
	{ CLONE_NEWNET, "net" },
	{ CLONE_NEWPID, "pid_for_children" },
	{ CLONE_NEWTIME, "time_for_children" },
};

/*
 * Clones this process into `cgroup`, with the namespaces of `flags`; `relation` is CLONE_PARENT or 0. Where the kernel,
 * or a filter, lacks clone3 or its CLONE_INTO_CGROUP, *joins says that the child must move itself.
 */
static pid_t clone_into(int cgroup, uint64_t flags, uint64_t relation, bool *joins)
{
	struct clone3_arguments arguments = {
		.flags = flags | relation | (cgroup >= 0 ? INTO_CGROUP : 0),
		.exit_signal = relation ? 0 : SIGCHLD,
		.cgroup = cgroup >= 0 ? (uint64_t)cgroup : 0,
	};
	long pid = syscall(SYS_clone3, &arguments, sizeof(arguments));

	*joins = pid < 0 && (errno == ENOSYS || errno == EINVAL || errno == E2BIG) && !(flags & CLONE_NEWTIME);
	if (*joins)
		pid = syscall(SYS_clone, flags | relation | SIGCHLD, NULL, NULL, NULL, NULL);
	return (pid_t)pid;
}

/* Descriptors of a start that are closed when the process was made. */
struct opened {
	int cgroup, parent, proc;
	bool enters_cgroup; /* the parent's cgroup namespace is another than the launcher's */
	int channels[2]; /* the launcher's end and the init's */
	int commands, program;
};

/* Fills in the maps of a child's new user namespace, if it has one. */
static int map_child(const struct spec *spec, int proc, pid_t pid)
{
	if (!(spec->flags & CLONE_NEWUSER))
		return 0;
	if (spec->owner && *spec->owner->uid_map)
		return map_owner(spec->owner, proc, number_in(proc, pid));
	if (geteuid())
		return map_ids_of_user(pid);
	return map_ids(proc, pid, "uid_map") || map_ids(proc, pid, "gid_map");
}

/* An owner may not write there, so it is done for him (before Linux 5.7). */
static int move_child(int cgroup, pid_t pid)
{
	int procs = openat(cgroup, "cgroup.procs", O_WRONLY | O_CLOEXEC);
	int result = procs < 0 || dprintf(procs, "%d", pid) < 0 ? -1 : 0;

	close(procs);
	return result;
}

static void report_failure(const struct opened *opened, const char *step)
{
	struct report report = { .error = errno ? errno : EIO };

	strncpy(report.step, step, sizeof(report.step) - 1);
	send(opened->channels[1], &report, sizeof(report), MSG_NOSIGNAL);
}

/*
 * The child's part never returns. Where it has no maps it is told nothing and ends with its channel, or is killed by the
 * launcher, whose child it is: a helper does not know whose its number is by then.
 */
static pid_t clone_init(const struct spec *spec, const struct opened *opened, uint64_t relation)
{
	bool joins;
	pid_t pid;

	copy_host_trees(spec);
	pid = clone_into(opened->cgroup, spec->flags & ~(uint64_t)CLONE_NEWCGROUP, relation, &joins);
	if (pid == 0) {
		const struct inherited inherited = {
			.channel = opened->channels[1],
			.cgroup = joins && !spec->owner ? opened->cgroup : -1,
			.parent = opened->enters_cgroup ? opened->parent : -1,
			.commands = opened->commands,
			.program = opened->program,
		};

		close(opened->channels[0]); /* else it would not hear that the others are gone */
		init_main(spec, &inherited);
	}
	close_host_trees();
	if (pid > 0 && (spec->flags & CLONE_NEWUSER || spec->owner)) {
		if (map_child(spec, opened->proc, pid) || (joins && spec->owner && move_child(opened->cgroup, pid)))
			report_failure(opened, "map its ids");
		else
			send(opened->channels[0], "", 1, MSG_NOSIGNAL);
	}
	return pid;
}

/*
 * Which kinds `pid`, which `pidfd` holds, has others of than this process. -1 and ESRCH when it has ended, whose namespaces
 * are unknown and not this process's own.
 */
static int differing_kinds(pid_t pid, int pidfd)
{
	int flags = 0;

	for (size_t row = 0; row < sizeof(KINDS) / sizeof(*KINDS); row++) {
		char own[64], other[64];
		struct stat here, there;

		snprintf(own, sizeof(own), "/proc/self/ns/%s", KINDS[row].link);
		snprintf(other, sizeof(other), "/proc/%d/ns/%s", pid, KINDS[row].link);
		if (stat(own, &here))
			continue; /* a kind that this kernel has not */
		if (stat(other, &there)) {
			if (KINDS[row].flag == CLONE_NEWPID && errno == ENOENT)
				continue; /* nobody is in it yet (pid_namespaces(7)) */
			errno = ESRCH;
			return -1;
		}
		if (here.st_ino != there.st_ino)
			flags |= KINDS[row].flag;
	}
	/* The number was its own all the time if it still is. */
	return syscall(SYS_pidfd_send_signal, pidfd, 0, NULL, 0) ? -1 : flags;
}

/* Clones this process, without new namespaces; `relation` is CLONE_PARENT or 0. */
static pid_t clone_helper(uint64_t relation)
{
	return (pid_t)syscall(SYS_clone, relation | SIGCHLD, NULL, NULL, NULL, NULL);
}

/*
 * Enters the parent container's namespaces, if there is one, and makes the init from there, as a child of the launcher, and
 * as its owner's if it has one. The cgroup namespace
 * is left to the init: from inside one, the kernel may not let a process be put where it must be (nsdelegate,
 * cgroup-v2.rst). setns(2) has effect on the pid namespace of children only, and a pid namespace is made only by one that
 * is in its own: so a second helper does that, which its parent was put there for. NULL, or the step that failed.
 */
static const char *start_from_inside(const struct spec *spec, struct opened *opened)
{
	int flags = spec->parent ? differing_kinds(spec->parent, opened->parent) : 0;
	const char *failed;

	if (flags < 0)
		return "look at the parent's namespaces";
	if (spec->owner && !((flags | spec->flags) & CLONE_NEWUSER)) {
		errno = EPERM;
		return "leave root's user namespace";
	}
	failed = spec->owner ? become_owner(spec) : NULL;
	if (failed)
		return failed;
	if (flags && setns(opened->parent, flags))
		return "enter the parent's namespaces";
	if (flags & spec->flags & CLONE_NEWPID) {
		pid_t second = clone_helper(CLONE_PARENT);

		if (second)
			return second < 0 ? "clone" : NULL;
	}
	if (clone_init(spec, opened, CLONE_PARENT) < 0)
		return "clone";
	return NULL;
}

/* The helper process. It is among the parent container's processes for a while, so it has nothing that they could take. */
static _Noreturn void help(const struct spec *spec, struct opened *opened)
{
	const char *failed = spec->owner ? prepare_owner(spec, &opened->commands, &opened->program) : NULL;
	const int kept[] = {
		opened->cgroup,	     opened->parent,	  opened->proc,	   opened->channels[0],
		opened->channels[1], opened->commands, opened->program,
	};

	prctl(PR_SET_DUMPABLE, 0);
	close_all_but(kept, sizeof(kept) / sizeof(*kept));
	if (!failed)
		failed = start_from_inside(spec, opened);
	if (failed)
		report_failure(opened, failed);
	_exit(0);
}

static int open_all(const struct spec *spec, struct opened *opened, const char **step)
{
	*step = "open its cgroup";
	if (*spec->cgroup && (opened->cgroup = open(spec->cgroup, O_PATH | O_DIRECTORY | O_CLOEXEC)) < 0)
		return errno;
	if (spec->parent) {
		*step = "open the parent's init";
		opened->parent = (int)syscall(SYS_pidfd_open, spec->parent, 0);
		if (opened->parent < 0)
			return errno;
		opened->enters_cgroup = has_other_cgroups(spec->parent);
		if (spec->parent_start && start_time_of(spec->parent) != spec->parent_start)
			return ESRCH;
	}
	if (spec->flags & CLONE_NEWUSER) {
		*step = "open /proc";
		opened->proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (opened->proc < 0)
			return errno;
	}
	*step = "make a socket pair";
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, opened->channels))
		return errno;
	/* The receiver's credentials of the sender give the init's pid in this process's pid namespace (unix(7)). */
	if (setsockopt(opened->channels[0], SOL_SOCKET, SO_PASSCRED, &(int){ 1 }, sizeof(int)))
		return errno;
	return 0;
}

static void close_one(int fd)
{
	if (fd >= 0)
		close(fd);
}

/*
 * Begins to start a container; never waits for it. 0 and the process (*pid, or *helper on whose way the init will come to
 * be) and the *channel on which it reports; or an errno and the *step that failed.
 */
int begin_start(const struct spec *spec, pid_t *pid, pid_t *helper, int *channel, const char **step)
{
	struct opened opened = {
		.cgroup = -1, .parent = -1, .proc = -1, .channels = { -1, -1 }, .commands = -1, .program = -1,
	};
	int error = open_all(spec, &opened, step);

	*pid = *helper = 0;
	if (!error) {
		*step = "clone";
		if (spec->parent || spec->owner) {
			*helper = clone_helper(0);
			if (*helper == 0)
				help(spec, &opened);
			error = *helper < 0 ? errno : 0;
		} else {
			refresh_mounts();
			*pid = clone_init(spec, &opened, 0);
			error = *pid < 0 ? errno : 0;
		}
	}
	close_one(opened.cgroup);
	close_one(opened.parent);
	close_one(opened.proc);
	close_one(opened.channels[1]);
	if (error)
		close_one(opened.channels[0]);
	else
		fcntl(opened.channels[0], F_SETFL, O_NONBLOCK);
	*channel = opened.channels[0];
	return error;
}
