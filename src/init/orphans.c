/*
 * Orphans of the makers: the init that a runtime leaves behind is one. Whether it becomes ours before its maker has ended
 * or then is up to the runtime: runc runs it itself, crun has a process between that ends first. So an init of few words
 * may be reaped before it is known to be one.
 */
#include "makers.h"

#include <sys/prctl.h>

/* Of those that were reaped while makers are waited for; beyond, the oldest is forgotten. */
#define REAPED_MAX 128

static struct reaped {
	pid_t pid;
	int status;
	uint64_t start_time;
} reaped[REAPED_MAX];

static unsigned int reaped_count;
static int wanted;

bool orphans_wanted(void)
{
	return wanted > 0;
}

void orphans_want(int change)
{
	wanted += change;
	if (!wanted)
		reaped_count = 0;
	prctl(PR_SET_CHILD_SUBREAPER, wanted > 0);
}

void orphans_note(pid_t pid, int status, uint64_t start_time)
{
	reaped[reaped_count++ % REAPED_MAX] = (struct reaped){ pid, status, start_time };
}

bool orphans_find(pid_t pid, int *status, uint64_t *start_time)
{
	for (unsigned int back = 1; back <= REAPED_MAX && back <= reaped_count; back++) {
		const struct reaped *one = &reaped[(reaped_count - back) % REAPED_MAX];

		if (one->pid != pid)
			continue;
		*status = one->status;
		*start_time = one->start_time;
		return true;
	}
	return false;
}
