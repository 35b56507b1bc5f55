/*
 * Restores under way, as the launcher keeps them:
 *
 *   restore ID SERIAL CGROUP PARENT PARENT_START MOUNT_POINT PATH INODE WORK ARGUMENTS
 *
 * is answered as `start` is. Criu makes the init as its sibling, thus as a child of the launcher (`--restore-sibling`).
 */
#include "restore.h"
#include "launcher.h"
#include "link.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define RESTORING_MAX 128
/* Largest number JSON and the daemon can have. */
#define NUMBER_MAX ((UINT64_C(1) << 53) - 1)

struct restoring {
	uint64_t id, serial;
	pid_t criu;
	unsigned int link;
	char *cgroup;
};

static struct restoring restoring[RESTORING_MAX];
static int count;

int restoring_count(void)
{
	return count;
}

static void refuse(uint64_t id, int error, const char *step)
{
	link_send("failed\n%" PRIu64 "\n%d\n%s\n", id, error, step);
}

bool handle_restore(char **words)
{
	uint64_t id, serial, parent;
	struct restore_spec spec = {
		.place = { .cgroup = words[3], .mount_point = words[6], .path = words[7] },
		.work = words[9], .arguments = words[10],
	};
	const char *step = "count the restores under way";
	int error = EAGAIN;
	pid_t criu = 0;

	if (!parse_number(words[1], NUMBER_MAX, &id) || !parse_number(words[2], NUMBER_MAX, &serial) ||
	    !parse_number(words[4], INT32_MAX, &parent) || !parse_number(words[5], UINT64_MAX, &spec.place.parent_start) ||
	    !parse_number(words[8], UINT64_MAX, &spec.place.inode) || spec.arguments[0] != '/')
		return false;
	spec.place.parent = (pid_t)parent;
	if (count < RESTORING_MAX && has_room())
		error = begin_restore(&spec, &criu, &step);
	if (error)
		refuse(id, error, step);
	else
		restoring[count++] = (struct restoring){ id, serial, criu, link_number(), strdup(spec.place.cgroup) };
	return true;
}

/* Whether `pid` is a child of this process (proc_pid_stat(5), field 4). */
static bool is_child(int pid)
{
	char path[32], text[512];
	FILE *file;
	char *at;
	int parent = 0;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	file = fopen(path, "re");
	if (!file)
		return false;
	if (fgets(text, sizeof(text), file) && (at = strrchr(text, ')')))
		sscanf(at, ") %*c %d", &parent);
	fclose(file);
	return parent == getpid();
}

/* Of the processes criu has made in the cgroup only the init is a child of the launcher. 0 if there is none. */
static pid_t init_in(const char *cgroup)
{
	char path[4096];
	FILE *procs;
	int pid = 0;

	snprintf(path, sizeof(path), "%s/cgroup.procs", cgroup);
	procs = fopen(path, "re");
	if (!procs)
		return 0;
	while (fscanf(procs, "%d", &pid) == 1 && !is_child(pid))
		pid = 0;
	fclose(procs);
	return pid;
}

bool restore_reaped(pid_t pid, int status, struct restored *restored)
{
	for (int index = 0; index < count; index++) {
		struct restoring done = restoring[index];

		if (done.criu != pid)
			continue;
		restoring[index] = restoring[--count];
		*restored = (struct restored){ .id = done.id, .serial = done.serial, .link = done.link };
		if (status == 0)
			restored->init = init_in(done.cgroup);
		free(done.cgroup);
		restored->start_time = restored->init ? start_time_of(restored->init) : 0;
		if (restored->start_time)
			return true;
		if (done.link == link_number())
			refuse(done.id, WIFSIGNALED(status) ? ECANCELED : EIO,
			       status ? "criu could not restore it" : "it ended while it was restored");
		return false;
	}
	return false;
}
