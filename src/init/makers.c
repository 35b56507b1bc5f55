/*
 * What is being made by other programs, as the launcher keeps it:
 *
 *   restore ID SERIAL CGROUP PARENT PARENT_START MOUNT_POINT PATH INODE WORK ROOT OUTPUT ARGUMENTS
 *   bundle ID SERIAL CGROUP HIERARCHY BUNDLE WORK OUTPUT ARGUMENTS
 *
 * are answered as `start` is. Criu makes the init as its sibling, thus as a child of the launcher (`--restore-sibling`).
 * A runtime leaves its child alone when it ends; the launcher then takes in orphans, and so is its parent, if not at once:
 * between crun and the init is a process that ends about when crun does.
 */
#include "makers.h"
#include "launcher.h"
#include "link.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAKERS_MAX 128
/* How long after its maker's end an init may have another parent. */
#define ORPHAN_WAIT_MS 1000
/* Largest number JSON and the daemon can have. */
#define NUMBER_MAX ((UINT64_C(1) << 53) - 1)

struct kind {
	const char *failed; /* what is said then */
	bool orphans;       /* the init is an orphan when its maker has ended */
};

struct maker {
	uint64_t id, serial;
	pid_t pid;         /* 0 once it has ended */
	int64_t until_ms; /* by the monotonic clock: how long its init is waited for then */
	unsigned int link;
	const struct kind *kind;
	char *where; /* file that lists the init */
};

static struct maker makers[MAKERS_MAX];
static int count;

int makers_count(void)
{
	return count;
}

static void refuse(uint64_t id, int error, const char *step)
{
	link_send("failed\n%" PRIu64 "\n%d\n%s\n", id, error, step);
}

/*
 * The first child of this process that a file lists, as `cgroup.procs` or a pid file does, though it may have ended: if it
 * became ours when its maker ended it is not reaped, since children are in the order in which they became ours.
 */
static void find_child(const char *file, bool orphans, struct made *made)
{
	FILE *pids = fopen(file, "re");
	int pid;

	if (!pids)
		return;
	while (!made->init && fscanf(pids, "%d", &pid) == 1) {
		bool is_zombie;

		if (is_child(pid, &is_zombie))
			made->start_time = start_time_of(pid);
		else if (orphans)
			made->ended = orphans_find(pid, &made->status, &made->start_time);
		if (made->start_time)
			made->init = pid;
	}
	fclose(pids);
}

static const struct kind RESTORED = { "criu could not restore it", false };
static const struct kind BUNDLE = { "its runtime could not start it", true };

static void note(uint64_t id, uint64_t serial, pid_t pid, const struct kind *kind, const char *directory, const char *name)
{
	struct maker *made = &makers[count++];

	*made = (struct maker){ id, serial, pid, 0, link_number(), kind, NULL };
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
	orphans_want(1);
	if (has_room_for_maker())
		error = begin_bundle(&spec, &runtime, &step);
	if (error) {
		orphans_want(-1);
		refuse(id, error, step);
	} else {
		note(id, serial, runtime, &BUNDLE, spec.work, BUNDLE_PID);
	}
	return true;
}

static struct maker take(int index)
{
	struct maker taken = makers[index];

	makers[index] = makers[--count];
	if (taken.kind->orphans)
		orphans_want(-1);
	free(taken.where);
	return taken;
}

static void give_up(int index, int error, const char *why)
{
	struct maker taken = take(index);

	if (taken.link == link_number())
		refuse(taken.id, error, why);
}

void maker_reaped(pid_t pid, int status)
{
	for (int index = 0; index < count; index++) {
		struct maker *done = &makers[index];

		if (done->pid != pid)
			continue;
		if (status) {
			give_up(index, WIFSIGNALED(status) ? ECANCELED : EIO, done->kind->failed);
			return;
		}
		done->pid = 0;
		done->until_ms = now_ms() + (done->kind->orphans ? ORPHAN_WAIT_MS : 0);
		return;
	}
}

bool makers_made(struct made *made)
{
	for (int index = count - 1; index >= 0; index--) {
		struct maker *done = &makers[index];

		if (done->pid)
			continue;
		*made = (struct made){ .id = done->id, .serial = done->serial, .link = done->link };
		find_child(done->where, done->kind->orphans, made);
		if (made->init) {
			take(index);
			return true;
		}
		if (now_ms() >= done->until_ms)
			give_up(index, EIO, "it ended while it was made");
	}
	return false;
}

bool makers_wait(void)
{
	for (int index = 0; index < count; index++)
		if (!makers[index].pid)
			return true;
	return false;
}
