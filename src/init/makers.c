/*
 * What is being made by other programs, as the launcher keeps it:
 *
 *   restore ID SERIAL CGROUP PARENT PARENT_START MOUNT_POINT PATH INODE WORK ROOT OUTPUT ARGUMENTS
 *   bundle ID SERIAL CGROUP HIERARCHY BUNDLE WORK OUTPUT ARGUMENTS
 *
 * are answered as `start` is. Criu makes the init as its sibling, thus as a child of the launcher (`--restore-sibling`).
 * A runtime leaves its child alone when it ends; the launcher then takes in orphans, and so is its parent.
 */
#include "makers.h"
#include "launcher.h"
#include "link.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAKERS_MAX 128
/* Largest number JSON and the daemon can have. */
#define NUMBER_MAX ((UINT64_C(1) << 53) - 1)

/* How the init is found once its maker has ended, by a path, and what is said if that failed. */
struct kind {
	pid_t (*find)(const char *where);
	const char *failed;
	bool orphans; /* the init is an orphan then */
};

struct maker {
	uint64_t id, serial;
	pid_t pid;
	unsigned int link;
	const struct kind *kind;
	char *where;
};

static struct maker makers[MAKERS_MAX];
static int count, with_orphans;

int makers_count(void)
{
	return count;
}

static void refuse(uint64_t id, int error, const char *step)
{
	link_send("failed\n%" PRIu64 "\n%d\n%s\n", id, error, step);
}

/* The first child of this process that a file lists, as `cgroup.procs` or a pid file does. 0 if there is none. */
static pid_t child_in(const char *file)
{
	FILE *pids = fopen(file, "re");
	pid_t child = 0;
	bool ended;
	int pid;

	if (!pids)
		return 0;
	while (!child && fscanf(pids, "%d", &pid) == 1)
		if (is_child(pid, &ended))
			child = pid;
	fclose(pids);
	return child;
}

static const struct kind RESTORED = { child_in, "criu could not restore it", false };
static const struct kind BUNDLE = { child_in, "its runtime could not start it", true };

/* Orphans of this process's children become its own (PR_SET_CHILD_SUBREAPER(2const)) while one is waited for. */
static void take_in_orphans(int change)
{
	with_orphans += change;
	prctl(PR_SET_CHILD_SUBREAPER, with_orphans > 0);
}

static void note(uint64_t id, uint64_t serial, pid_t pid, const struct kind *kind, const char *directory, const char *name)
{
	struct maker *made = &makers[count++];

	*made = (struct maker){ id, serial, pid, link_number(), kind, NULL };
	if (asprintf(&made->where, "%s/%s", directory, name) < 0)
		abort();
}

static bool has_room_for_maker(void)
{
	return count < MAKERS_MAX && has_room();
}

bool handle_restore(char **words)
{
	uint64_t id, serial, parent;
	struct restore_spec spec = {
		.place = { .cgroup = words[3], .mount_point = words[6], .path = words[7] },
		.work = words[9], .root = words[10], .output = words[11], .arguments = words[12],
	};
	const char *step = "count the restores under way";
	int error = EAGAIN;
	pid_t criu = 0;

	if (!parse_number(words[1], NUMBER_MAX, &id) || !parse_number(words[2], NUMBER_MAX, &serial) ||
	    !parse_number(words[4], INT32_MAX, &parent) || !parse_number(words[5], UINT64_MAX, &spec.place.parent_start) ||
	    !parse_number(words[8], UINT64_MAX, &spec.place.inode) || spec.arguments[0] != '/')
		return false;
	spec.place.parent = (pid_t)parent;
	if (has_room_for_maker())
		error = begin_restore(&spec, &criu, &step);
	if (error)
		refuse(id, error, step);
	else
		note(id, serial, criu, &RESTORED, spec.place.cgroup, "cgroup.procs");
	return true;
}

bool handle_bundle(char **words)
{
	uint64_t id, serial;
	struct bundle_spec spec = {
		.cgroup = words[3], .hierarchy = words[4], .bundle = words[5],
		.work = words[6], .output = words[7], .arguments = words[8],
	};
	const char *step = "count the starts under way";
	int error = EAGAIN;
	pid_t runtime = 0;

	if (!parse_number(words[1], NUMBER_MAX, &id) || !parse_number(words[2], NUMBER_MAX, &serial) ||
	    spec.arguments[0] != '/')
		return false;
	take_in_orphans(1);
	if (has_room_for_maker())
		error = begin_bundle(&spec, &runtime, &step);
	if (error) {
		take_in_orphans(-1);
		refuse(id, error, step);
	} else {
		note(id, serial, runtime, &BUNDLE, spec.work, BUNDLE_PID);
	}
	return true;
}

/*
 * The init may have ended already, but it is not reaped: children are reaped in the order in which they became ours, and
 * it became ours when its maker ended.
 */
bool maker_reaped(pid_t pid, int status, struct made *made)
{
	for (int index = 0; index < count; index++) {
		struct maker done = makers[index];

		if (done.pid != pid)
			continue;
		makers[index] = makers[--count];
		if (done.kind->orphans)
			take_in_orphans(-1);
		*made = (struct made){ .id = done.id, .serial = done.serial, .link = done.link };
		if (status == 0)
			made->init = done.kind->find(done.where);
		free(done.where);
		made->start_time = made->init ? start_time_of(made->init) : 0;
		if (made->start_time)
			return true;
		if (done.link == link_number())
			refuse(done.id, WIFSIGNALED(status) ? ECANCELED : EIO,
			       status ? done.kind->failed : "it ended while it was made");
		return false;
	}
	return false;
}
