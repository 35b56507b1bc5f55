/* Starts under way: from the request until the init says that it is ready, or is dead. */
#include "launcher.h"
#include "link.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static struct starting {
	uint64_t id, serial, start_time;
	pid_t pid;    /* 0 until a nested init has told it; -1 once it is reaped */
	pid_t helper; /* that makes a nested init, or 0 */
	int channel;
	unsigned int link; /* connection that asked */
	bool cancelled;
} starting[STARTING_MAX];

static int starting_count;

int starts_count(void)
{
	return starting_count;
}

/* Ends the start `index`; with an `error`, whatever there is of it is killed. */
static void finish(int index, int error, const char *step)
{
	struct starting done = starting[index];
	bool asked_here = done.link == link_number();

	starting[index] = starting[--starting_count];
	close(done.channel);
	if (error) {
		if (done.pid > 0)
			kill(done.pid, SIGKILL); /* not reaped yet: the pid is still its own */
		if (asked_here)
			link_send("failed\n%" PRIu64 "\n%d\n%s\n", done.id, error, step);
		return;
	}
	init_began(done.id, done.serial, done.pid, done.start_time, asked_here);
}

/* A nested init's first words, by which the kernel tells its pid. */
static void meet(struct starting *start, struct msghdr *message)
{
	struct cmsghdr *control = CMSG_FIRSTHDR(message);
	struct ucred sender;

	if (!control || control->cmsg_level != SOL_SOCKET || control->cmsg_type != SCM_CREDENTIALS)
		return;
	memcpy(&sender, CMSG_DATA(control), sizeof(sender));
	start->pid = sender.pid;
	start->start_time = start_time_of(sender.pid);
	if (start->cancelled)
		kill(start->pid, SIGKILL);
}

/* Takes one report of a start. Whether there may be more. */
static bool take_report(int index)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(struct ucred))];
	struct report report;
	struct iovec vector = { .iov_base = &report, .iov_len = sizeof(report) };
	struct msghdr message = {
		.msg_iov = &vector, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)
	};
	ssize_t length = recvmsg(starting[index].channel, &message, MSG_CMSG_CLOEXEC);

	if (length < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	if (length != sizeof(report)) {
		finish(index, ECANCELED, "killed while starting");
		return false;
	}
	if (report.error == REPORT_HELLO) {
		meet(&starting[index], &message);
		return true;
	}
	report.step[sizeof(report.step) - 1] = '\0';
	if (report.error == REPORT_READY &&
	    (starting[index].pid <= 0 || !starting[index].start_time || starting[index].cancelled))
		finish(index, ECANCELED, "killed while starting");
	else
		finish(index, report.error, report.step);
	return false;
}

static void take_reports(int index)
{
	while (take_report(index))
		;
}

void starts_poll(struct pollfd *polled)
{
	for (int index = 0; index < starting_count; index++)
		polled[index] = (struct pollfd){ .fd = starting[index].channel, .events = POLLIN };
}

void starts_take_reports(const struct pollfd *polled, int count)
{
	for (int index = count - 1; index >= 0; index--) /* downwards: an ended start is replaced by the last */
		if (polled[index].revents)
			take_reports(index);
}

void starts_hear_dying(pid_t pid)
{
	for (int index = starting_count - 1; index >= 0; index--)
		if (starting[index].pid == pid || !starting[index].pid)
			take_reports(index);
}

void starts_note_reaped(pid_t pid)
{
	for (int index = 0; index < starting_count; index++) {
		if (starting[index].helper == pid)
			starting[index].helper = 0;
		if (starting[index].pid == pid)
			starting[index].pid = -1; /* the end of its channel tells the rest */
	}
}

void start_begin(uint64_t id, uint64_t serial, const struct spec *spec)
{
	struct starting *new = &starting[starting_count];
	const char *step = "count the running ones";
	int error = EAGAIN;

	*new = (struct starting){ .id = id, .serial = serial, .link = link_number() };
	if (has_room())
		error = begin_start(spec, &new->pid, &new->helper, &new->channel, &step);
	/* While the child works, and before it executes a program: the file waits for that. It is not reaped yet. */
	if (!error && new->pid > 0)
		new->start_time = start_time_of(new->pid);
	if (error) {
		link_send("failed\n%" PRIu64 "\n%d\n%s\n", id, error, step);
		return;
	}
	starting_count++;
}

static void cancel(struct starting *start)
{
	start->cancelled = true;
	if (start->helper > 0)
		kill(start->helper, SIGKILL);
	if (start->pid > 0)
		kill(start->pid, SIGKILL);
}

void start_cancel(uint64_t id)
{
	for (int index = 0; index < starting_count; index++)
		if (starting[index].id == id && starting[index].link == link_number())
			cancel(&starting[index]);
}

void starts_cancel_all(void)
{
	for (int index = 0; index < starting_count; index++)
		cancel(&starting[index]);
}
