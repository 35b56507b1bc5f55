/* The inits that live, and the exits that no daemon has written down yet. */
#include "launcher.h"
#include "link.h"

#include <inttypes.h>
#include <string.h>

#define RUNNING_MAX 32768
/* Exits not yet acked; beyond, the oldest is forgotten. */
#define EXITED_MAX 32768

static struct {
	uint64_t serial, start_time;
	pid_t pid;
} running[RUNNING_MAX];

static struct {
	uint64_t serial;
	pid_t pid;
	int status;
} exited[EXITED_MAX];

static int running_count, exited_count;

int inits_count(void)
{
	return running_count;
}

bool inits_have_room(int starting)
{
	return running_count + starting < RUNNING_MAX;
}

static void tell_running(int index)
{
	link_send("lives\n%" PRIu64 "\n%d\n%" PRIu64 "\n", running[index].serial, running[index].pid,
		  running[index].start_time);
}

static void tell_exited(int index)
{
	link_send("exited\n%" PRIu64 "\n%d\n%d\n", exited[index].serial, exited[index].pid, exited[index].status);
}

void init_began(uint64_t id, uint64_t serial, pid_t pid, uint64_t start_time, bool asked_here)
{
	running[running_count].serial = serial;
	running[running_count].start_time = start_time;
	running[running_count++].pid = pid;
	if (asked_here)
		link_send("started\n%" PRIu64 "\n%d\n%" PRIu64 "\n", id, pid, start_time);
	else
		tell_running(running_count - 1);
}

static void note_exit(uint64_t serial, pid_t pid, int status)
{
	if (exited_count == EXITED_MAX)
		memmove(exited, exited + 1, (size_t)--exited_count * sizeof(*exited));
	exited[exited_count].serial = serial;
	exited[exited_count].pid = pid;
	exited[exited_count].status = status;
	tell_exited(exited_count++);
}

void init_ended(pid_t pid, int status)
{
	for (int index = 0; index < running_count; index++) {
		if (running[index].pid == pid) {
			note_exit(running[index].serial, pid, status);
			running[index] = running[--running_count];
			return;
		}
	}
}

void exit_acked(uint64_t serial, pid_t pid)
{
	for (int index = 0; index < exited_count; index++) {
		if (exited[index].serial == serial && exited[index].pid == pid) {
			memmove(exited + index, exited + index + 1, (size_t)(--exited_count - index) * sizeof(*exited));
			return;
		}
	}
}

void inits_tell(void)
{
	for (int index = 0; index < running_count; index++)
		tell_running(index);
	for (int index = 0; index < exited_count; index++)
		tell_exited(index);
}
