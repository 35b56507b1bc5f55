/*
 * From a clone of the launcher to an OCI runtime. The runtime sees a machine with cgroup v2 alone, as the containers of
 * this program are in that, whatever else the machine has; and the bundle's config.json as the daemon has adapted it.
 */
#include "makers.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *open_output(const struct bundle_spec *spec)
{
	int fd;

	close_all_but(NULL, 0);
	/* Of its flags criu keeps all, and opens it anew by a link: none that forbids that. Its directory is ours alone. */
	fd = open(spec->output, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	return fd < 0 || dup2(fd, 1) < 0 || dup2(fd, 2) < 0 ? "open its output" : NULL;
}

static const char *private_mounts(const struct bundle_spec *spec)
{
	char adapted[PATH_MAX], given[PATH_MAX];

	if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL))
		return "make mounts private";
	if (strcmp(spec->hierarchy, CGROUPS) && mount(spec->hierarchy, CGROUPS, NULL, MS_BIND, NULL))
		return "bind " CGROUPS;
	snprintf(adapted, sizeof(adapted), "%s/" BUNDLE_CONFIG, spec->work);
	snprintf(given, sizeof(given), "%s/" BUNDLE_CONFIG, spec->bundle);
	/* Without one the runtime says what it makes of the bundle's own. */
	if (access(adapted, F_OK) == 0 && mount(adapted, given, NULL, MS_BIND, NULL))
		return "bind its config.json";
	return NULL;
}

/* In the words of a runtime, `--log-format json`. */
static void log_failure(const struct bundle_spec *spec, const char *step, int error)
{
	char path[PATH_MAX];
	int fd;

	snprintf(path, sizeof(path), "%s/" BUNDLE_LOG, spec->work);
	fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	dprintf(fd, "{\"level\":\"error\",\"msg\":\"Cannot %s: %s\"}\n", step, strerror(error));
}

static _Noreturn void become_runtime(const struct bundle_spec *spec)
{
	const char *failed;

	if (!(failed = open_output(spec)) && !(failed = join_by_path(spec->cgroup)) && !(failed = private_mounts(spec))) {
		setsid();
		umask(0022);
		reset_signals();
		execute_lines(spec->arguments);
		failed = "run the runtime";
	}
	log_failure(spec, failed, errno);
	_exit(1);
}

int begin_bundle(const struct bundle_spec *spec, pid_t *pid, const char **step)
{
	*step = "clone";
	*pid = fork();
	if (*pid == 0)
		become_runtime(spec);
	return *pid < 0 ? errno : 0;
}
