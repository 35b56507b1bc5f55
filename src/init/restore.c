/* From a clone of the launcher to criu: it runs in the container's cgroup, in a mount namespace of its own. */
#include "makers.h"
#include "private.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif

/* What `--root` and `--external mnt[tree]` of the command line name (src/checkpoint/arguments.ts). */
#define NEW_ROOT PRIVATE_RUN "/root"
#define TREE PRIVATE_RUN "/tree"
/* In the directory `work`: what criu knows of the kernel (src/checkpoint/criu-facts.ts). */
#define KNOWN "criu.kdat"
/* What `--inherit-fd` names. */
#define OUTPUT_FD 3

const char *join_by_path(const char *cgroup)
{
	int directory = open(cgroup, O_PATH | O_DIRECTORY | O_CLOEXEC);
	int procs = openat(directory, "cgroup.procs", O_WRONLY | O_CLOEXEC);

	if (procs < 0 || write(procs, "0", 1) != 1)
		return "join its cgroup";
	close(procs);
	close(directory);
	return NULL;
}

static const char *private_mounts(const struct restore_spec *spec)
{
	char known[4096];
	const char *failed;
	int own = open_own_directory(&spec->place);

	/* As working directory it comes along into the new mount namespace; a descriptor would not. */
	if (own < 0 || fchdir(own))
		return "open its directory";
	close(own);
	if (unshare(CLONE_NEWNS | CLONE_NEWCGROUP))
		return "make namespaces for criu";
	snprintf(known, sizeof(known), "%s/" KNOWN, spec->work);
	if ((failed = private_run(known)))
		return failed;
	if (spec->place.parent && mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL))
		return "mount /proc";
	if (mkdir(NEW_ROOT, 0700) || mount(spec->root, NEW_ROOT, NULL, MS_BIND, NULL))
		return "bind its root";
	if (mkdir(TREE, 0700) || mount(".", TREE, NULL, MS_BIND, NULL) || chdir("/"))
		return "bind its directory";
	return NULL;
}

static const char *open_output(const struct restore_spec *spec)
{
	char path[4096];
	int fd;

	snprintf(path, sizeof(path), "%s/criu.out", spec->work);
	close_all_but(NULL, 0);
	fd = open(path, O_WRONLY | O_CREAT | O_APPEND, 0600);
	if (fd < 0 || dup2(fd, 1) < 0 || dup2(fd, 2) < 0)
		return "open its output";
	close(fd);
	/* The lowest that is free, and criu inherits it. */
	if (*spec->output && open(spec->output, O_WRONLY | O_CREAT | O_APPEND, 0600) != OUTPUT_FD)
		return "open the container's output";
	return NULL;
}

static _Noreturn void become_criu(const struct restore_spec *spec)
{
	const char *failed;

	if (!(failed = open_output(spec)) && !(failed = join_by_path(spec->place.cgroup)) && !(failed = private_mounts(spec))) {
		setsid();
		umask(0022);
		reset_signals();
		execute_lines(spec->arguments);
		failed = "run criu";
	}
	dprintf(2, "Error (nsdir): Cannot %s: %s\n", failed, strerror(errno));
	_exit(1);
}

/*
 * Children of this process are from now on in the pid namespace of `pidfd`; setns(2) lets it go back to its own, as it is
 * an ancestor of itself.
 */
static int next_children_in(int pidfd)
{
	return setns(pidfd, CLONE_NEWPID);
}

int begin_restore(const struct restore_spec *spec, pid_t *pid, const char **step)
{
	int outer = -1, own = -1, error = 0;

	if (spec->place.parent) {
		*step = "open the parent's init";
		own = (int)syscall(SYS_pidfd_open, getpid(), 0);
		outer = (int)syscall(SYS_pidfd_open, spec->place.parent, 0);
		if (outer < 0 || own < 0)
			error = errno;
		else if (spec->place.parent_start && start_time_of(spec->place.parent) != spec->place.parent_start)
			error = ESRCH;
		else if (next_children_in(outer))
			error = errno;
	}
	if (!error) {
		*step = "clone";
		*pid = fork();
		if (*pid == 0)
			become_criu(spec);
		error = *pid < 0 ? errno : 0;
		if (outer >= 0 && next_children_in(own))
			abort(); /* every container from now on would be in that one */
	}
	if (outer >= 0)
		close(outer);
	if (own >= 0)
		close(own);
	return error;
}
