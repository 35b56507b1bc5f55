/* Starts under way: from the request until the init says that it is ready, or is dead. */
#include "launcher.h"
#include "link.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

/* What an init says at most: that it is there, that it executes its program, and how that ended. */
#define REPORTS_MAX 3
/* Longer than a daemon waits for one (START_LIMIT_MS, CANCEL_LIMIT_MS): processes that somebody stopped may never end. */
#define STARTING_LIMIT_MS 15000
/* Largest errno (linux/err.h). */
#define ERRNO_MAX 4095

#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif
#ifndef SYS_pidfd_send_signal
#define SYS_pidfd_send_signal 424
#endif

static struct starting {
	uint64_t id, serial, start_time;
	int64_t begun_ms;
	pid_t pid;    /* 0 until a nested init has told it */
	int pidfd;    /* of it, or -1 */
	pid_t helper; /* that makes a nested init, or 0: a child that is not reaped, so that the number is its own */
	int channel;
	unsigned int link; /* connection that asked */
	bool executes;     /* all that is missing is that its channel is closed */
	bool cancelled;
} starting[STARTING_MAX];

static int starting_count;

int starts_count(void)
{
	return starting_count;
}

static void kill_processes(const struct starting *start)
{
	if (start->helper > 0)
		kill(start->helper, SIGKILL);
	if (start->pidfd >= 0)
		syscall(SYS_pidfd_send_signal, start->pidfd, SIGKILL, NULL, 0);
}

/* Ends the start `index`; with an `error`, whatever there is of it is killed. */
static void finish(int index, int error, const char *step)
{
	struct starting done = starting[index];
	bool asked_here = done.link == link_number();

	starting[index] = starting[--starting_count];
	close(done.channel);
	if (error)
		kill_processes(&done);
	if (done.pidfd >= 0)
		close(done.pidfd);
	if (!error)
		init_began(done.id, done.serial, done.pid, done.start_time, asked_here);
	else if (asked_here)
		link_send("failed\n%" PRIu64 "\n%d\n%s\n", done.id, error, step);
}

/* Its init is this child, which is not reaped. Whether it could be pinned. */
static bool know(struct starting *start, pid_t pid)
{
	start->pid = pid;
	start->start_time = start_time_of(pid);
	start->pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (start->pidfd >= 0 && start->cancelled)
		kill_processes(start);
	return start->pidfd >= 0;
}

/*
 * A nested init's first words, by which the kernel tells its pid. They count once, and from a child of this process: the
 * channel is in the hands of who may look into an init.
 */
static bool meet(struct starting *start, struct msghdr *message)
{
	struct cmsghdr *control = CMSG_FIRSTHDR(message);
	struct ucred sender;
	bool ended;

	if (start->pid || !control || control->cmsg_level != SOL_SOCKET || control->cmsg_type != SCM_CREDENTIALS)
		return false;
	memcpy(&sender, CMSG_DATA(control), sizeof(sender));
	return is_child(sender.pid, &ended) && know(start, sender.pid);
}

/* How a start ends by the last that was read of it, `length` bytes: 0, or an errno and the *step. */
static int outcome(const struct starting *start, ssize_t length, struct report *report, const char **step)
{
	bool is_known = start->pid && start->start_time && !start->cancelled, ended;

	*step = "killed while starting";
	if (length <= 0)
		return is_known && start->executes && is_child(start->pid, &ended) && !ended ? 0 : ECANCELED;
	if (length == sizeof(*report) && report->error == REPORT_READY)
		return is_known ? 0 : ECANCELED;
	*step = "its init says what none says";
	if (length != sizeof(*report) || report->error < 0 || report->error > ERRNO_MAX)
		return EPROTO;
	report->step[sizeof(report->step) - 1] = '\0';
	for (char *at = report->step; *at; at++)
		if (*at < ' ' || *at > '~')
			*at = '?';
	*step = report->step;
	return report->error;
}

/* Takes one report of a start. Whether there may be more. */
static bool take_report(int index)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(struct ucred))];
	struct starting *start = &starting[index];
	struct report report;
	struct iovec vector = { .iov_base = &report, .iov_len = sizeof(report) };
	struct msghdr message = {
		.msg_iov = &vector, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)
	};
	ssize_t length = recvmsg(start->channel, &message, MSG_CMSG_CLOEXEC);
	const char *step;
	int error;

	if (length < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	if (length == sizeof(report) && report.error == REPORT_HELLO && meet(start, &message))
		return true;
	if (length == sizeof(report) && report.error == REPORT_EXECUTES && start->pid && !start->executes) {
		start->executes = true;
		return true;
	}
	error = outcome(start, length, &report, &step);
	finish(index, error, step);
	return false;
}

static void take_reports(int index)
{
	for (int round = 0; round < REPORTS_MAX && take_report(index); round++)
		;
}

bool starts_have_room(void)
{
	for (int index = starting_count - 1; starting_count == STARTING_MAX && index >= 0; index--)
		if (starting[index].cancelled || now_ms() - starting[index].begun_ms > STARTING_LIMIT_MS)
			finish(index, ETIMEDOUT, "its processes do not end");
	return starting_count < STARTING_MAX;
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
	for (int index = starting_count - 1; index >= 0; index--) {
		if (starting[index].helper == pid)
			starting[index].helper = 0;
		if (starting[index].pid == pid) /* what it had to say was heard; others may hold its channel */
			finish(index, ECANCELED, "killed while starting");
	}
}

void start_begin(uint64_t id, uint64_t serial, const struct spec *spec)
{
	struct starting *new = &starting[starting_count];
	const char *step = "count the running ones";
	int error = EAGAIN;
	pid_t pid;

	*new = (struct starting){ .id = id, .serial = serial, .link = link_number(), .begun_ms = now_ms(), .pidfd = -1 };
	if (has_room())
		error = begin_start(spec, &pid, &new->helper, &new->channel, &step);
	if (error) {
		link_send("failed\n%" PRIu64 "\n%d\n%s\n", id, error, step);
		return;
	}
	starting_count++;
	/* While the child works, and before it executes a program: the file of its start time waits for that. */
	if (pid > 0 && !know(new, pid))
		finish(starting_count - 1, errno, "pin its init");
}

static void cancel(struct starting *start)
{
	start->cancelled = true;
	kill_processes(start);
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
