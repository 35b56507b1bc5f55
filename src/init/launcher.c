/*
 * nsdir-init launcher SOCKET PIDFILE
 *
 * Parent of all inits. Takes from its one daemon
 *
 *   start ID SERIAL CGROUP FLAGS HOSTNAME PARENT PARENT_START MOUNT_POINT PATH INODE INIT_SOCKET
 *   restore ID …         see restores.c
 *   cancel ID            a start that takes too long: it is killed, and will be `failed`
 *   ack SERIAL PID       the exit of that init is written down
 *   quit                 exit, if no init lives
 *
 * and tells it
 *
 *   lives SERIAL PID START_TIME … welcome PROTOCOL      to a new connection, with `exited` for all that is not acked;
 *                                                       starts of the one before are cancelled
 *   started ID PID START_TIME | failed ID ERRNO STEP    the end of a start
 *   exited SERIAL PID WSTATUS                           until acked, again on every connection
 *   busy COUNT                                          instead of quitting
 *   replaced                                            another daemon connected; this connection ends
 */
#include "link.h"
#include "restore.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* Starts under way; further ones wait unread. */
#define STARTING_MAX 128
#define RUNNING_MAX 32768
/* Exits not yet acked; beyond, the oldest is forgotten. */
#define EXITED_MAX 32768
/* Largest number JSON and the daemon can have. */
#define NUMBER_MAX ((UINT64_C(1) << 53) - 1)

struct starting {
	uint64_t id, serial, start_time;
	pid_t pid;    /* 0 until a nested init has told it */
	pid_t helper; /* that makes a nested init, or 0 */
	int channel;
	unsigned int link; /* connection that asked */
	bool cancelled;
};

struct running {
	uint64_t serial, start_time;
	pid_t pid;
};

struct exited {
	uint64_t serial;
	pid_t pid;
	int status;
};

static struct starting starting[STARTING_MAX];
static struct running running[RUNNING_MAX];
static struct exited exited[EXITED_MAX];
static int starting_count, running_count, exited_count;
static const char *paths[2]; /* removed at the end */

static _Noreturn void leave(void)
{
	for (int index = 0; index < 2; index++)
		unlink(paths[index]);
	_exit(0);
}

/* From now on an init is followed. */
static void take_over(struct running init, uint64_t id, bool asked_here)
{
	running[running_count++] = init;
	if (asked_here)
		link_send("started\n%" PRIu64 "\n%d\n%" PRIu64 "\n", id, init.pid, init.start_time);
	else
		link_send("lives\n%" PRIu64 "\n%d\n%" PRIu64 "\n", init.serial, init.pid, init.start_time);
}

/* Ends the start `index`; with an `error`, whatever there is of it is killed. */
static void finish_start(int index, int error, const char *step)
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
	take_over((struct running){ done.serial, done.start_time, done.pid }, done.id, asked_here);
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
		finish_start(index, ECANCELED, "killed while starting");
		return false;
	}
	if (report.error == REPORT_HELLO) {
		meet(&starting[index], &message);
		return true;
	}
	report.step[sizeof(report.step) - 1] = '\0';
	if (report.error == REPORT_READY &&
	    (starting[index].pid <= 0 || !starting[index].start_time || starting[index].cancelled))
		finish_start(index, ECANCELED, "killed while starting");
	else
		finish_start(index, report.error, report.step);
	return false;
}

static void take_reports(int index)
{
	while (take_report(index))
		;
}

static void note_exit(const struct running *init, int status)
{
	if (exited_count == EXITED_MAX)
		memmove(exited, exited + 1, --exited_count * sizeof(*exited));
	exited[exited_count++] = (struct exited){ init->serial, init->pid, status };
	link_send("exited\n%" PRIu64 "\n%d\n%d\n", init->serial, init->pid, status);
}

/* Reaps one dead child, after it was read what it had to say. Whether there was one. */
static bool reap_one(void)
{
	siginfo_t dead = { 0 };
	struct restored restored;
	int status;

	if (waitid(P_ALL, 0, &dead, WEXITED | WNOHANG | WNOWAIT) || !dead.si_pid)
		return false;
	for (int index = starting_count - 1; index >= 0; index--)
		if (starting[index].pid == dead.si_pid || !starting[index].pid)
			take_reports(index);
	waitpid(dead.si_pid, &status, 0);
	for (int index = 0; index < starting_count; index++) {
		if (starting[index].helper == dead.si_pid)
			starting[index].helper = 0;
		if (starting[index].pid == dead.si_pid)
			starting[index].pid = -1; /* the end of its channel tells the rest */
	}
	for (int index = 0; index < running_count; index++) {
		if (running[index].pid == dead.si_pid) {
			note_exit(&running[index], status);
			running[index] = running[--running_count];
			break;
		}
	}
	if (restore_reaped(dead.si_pid, status, &restored))
		take_over((struct running){ restored.serial, restored.start_time, restored.init }, restored.id,
			  restored.link == link_number());
	return true;
}

static void greet(void)
{
	for (int index = 0; index < running_count; index++)
		link_send("lives\n%" PRIu64 "\n%d\n%" PRIu64 "\n", running[index].serial, running[index].pid,
			  running[index].start_time);
	for (int index = 0; index < exited_count; index++)
		link_send("exited\n%" PRIu64 "\n%d\n%d\n", exited[index].serial, exited[index].pid, exited[index].status);
	link_send("welcome\n" PROTOCOL "\n");
}

bool has_room(void)
{
	return running_count + starting_count + restoring_count() < RUNNING_MAX;
}

static void start(uint64_t id, uint64_t serial, const struct spec *spec)
{
	struct starting *new = &starting[starting_count];
	const char *step = "count the running ones";
	int error = EAGAIN;

	*new = (struct starting){ .id = id, .serial = serial, .link = link_number() };
	if (has_room())
		error = begin_start(spec, &new->pid, &new->helper, &new->channel, &step);
	if (error) {
		link_send("failed\n%" PRIu64 "\n%d\n%s\n", id, error, step);
		return;
	}
	if (new->pid)
		new->start_time = start_time_of(new->pid);
	starting_count++;
}

static bool handle_start(char **words)
{
	uint64_t id, serial, parent;
	struct spec spec = {
		.cgroup = words[3], .hostname = words[5], .mount_point = words[8], .path = words[9], .socket = words[11],
	};

	if (!parse_number(words[1], NUMBER_MAX, &id) || !parse_number(words[2], NUMBER_MAX, &serial) ||
	    !parse_number(words[4], UINT32_MAX, &spec.flags) || !parse_number(words[6], INT32_MAX, &parent) ||
	    !parse_number(words[7], UINT64_MAX, &spec.parent_start) ||
	    !parse_number(words[10], UINT64_MAX, &spec.inode) || spec.mount_point[0] != '/')
		return false;
	spec.parent = (pid_t)parent;
	start(id, serial, &spec);
	return true;
}

/* Kills what there is of a start; it will end as failed. */
static void cancel(struct starting *start)
{
	start->cancelled = true;
	if (start->helper > 0)
		kill(start->helper, SIGKILL);
	if (start->pid > 0)
		kill(start->pid, SIGKILL);
}

static bool handle_cancel(char **words)
{
	uint64_t id;

	if (!parse_number(words[1], NUMBER_MAX, &id))
		return false;
	for (int index = 0; index < starting_count; index++)
		if (starting[index].id == id && starting[index].link == link_number())
			cancel(&starting[index]);
	return true;
}

static bool handle_ack(char **words)
{
	uint64_t serial, pid;

	if (!parse_number(words[1], NUMBER_MAX, &serial) || !parse_number(words[2], INT32_MAX, &pid))
		return false;
	for (int index = 0; index < exited_count; index++) {
		if (exited[index].serial == serial && exited[index].pid == (pid_t)pid) {
			memmove(exited + index, exited + index + 1, (size_t)(--exited_count - index) * sizeof(*exited));
			break;
		}
	}
	return true;
}

static bool handle_quit(char **words)
{
	(void)words;
	if (running_count + starting_count + restoring_count() == 0)
		leave();
	link_send("busy\n%d\n", running_count + starting_count + restoring_count());
	return true;
}

static const struct {
	const char *word;
	int count; /* of all words */
	bool (*handle)(char **words);
} REQUESTS[] = {
	{ "start", 12, handle_start },
	{ "restore", 11, handle_restore },
	{ "cancel", 2, handle_cancel },
	{ "ack", 3, handle_ack },
	{ "quit", 1, handle_quit },
};

/* One request a round, so that no started container waits for many to be started. */
static void handle_next(void)
{
	char *words[STRINGS_MAX];
	int count = link_next(words);

	if (count < 0)
		return;
	for (size_t row = 0; row < sizeof(REQUESTS) / sizeof(*REQUESTS); row++)
		if (!strcmp(words[0], REQUESTS[row].word) && count == REQUESTS[row].count && REQUESTS[row].handle(words))
			return;
	link_close();
}

/*
 * What a daemon has taken down counts, though it went away; what it wanted started does not: the next one is asked again,
 * and would have two inits in one container.
 */
static void settle_affairs(void)
{
	char *words[STRINGS_MAX];
	int count;

	for (int index = 0; index < starting_count; index++)
		cancel(&starting[index]);
	while ((count = link_next(words)) >= 0)
		if (count == 3 && !strcmp(words[0], "ack"))
			handle_ack(words);
}

static void end_link(void)
{
	settle_affairs();
	link_close();
}

static void change_link(int listener)
{
	link_receive();
	settle_affairs();
	if (link_accept(listener))
		greet();
}

static void handle_signals(int signals)
{
	struct signalfd_siginfo info;

	while (read(signals, &info, sizeof(info)) == sizeof(info))
		if (info.ssi_signo == SIGTERM)
			leave(); /* the containers live on, their parent is then whoever adopts orphans */
	while (reap_one())
		;
}

static _Noreturn void serve(int listener, int signals)
{
	enum { LISTENER, SIGNALS, LINK, FIXED };

	for (;;) {
		struct pollfd polled[FIXED + STARTING_MAX] = {
			[LISTENER] = { .fd = listener, .events = POLLIN },
			[SIGNALS] = { .fd = signals, .events = POLLIN },
			[LINK] = { .fd = link_fd(), .events = link_events() },
		};
		int count = starting_count;
		bool ready = count < STARTING_MAX && link_has_frame();

		for (int index = 0; index < count; index++)
			polled[FIXED + index] = (struct pollfd){ .fd = starting[index].channel, .events = POLLIN };
		if (poll(polled, (nfds_t)(FIXED + count), ready ? 0 : -1) < 0)
			continue;
		for (int index = count - 1; index >= 0; index--) /* downwards: an ended start is replaced by the last */
			if (polled[FIXED + index].revents)
				take_reports(index);
		if (polled[SIGNALS].revents)
			handle_signals(signals);
		if (polled[LINK].revents & (POLLIN | POLLHUP | POLLERR) && !link_receive())
			end_link();
		if (polled[LISTENER].revents)
			change_link(listener);
		if (starting_count < STARTING_MAX)
			handle_next();
		link_flush();
	}
}

/* Only one launcher has the pid file; the lock ends with the process and is not inherited (fcntl_locking(2)). */
static bool claim(const char *pid_path)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	int fd = open(pid_path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);

	return fd >= 0 && fcntl(fd, F_SETLK, &lock) == 0 && ftruncate(fd, 0) == 0 && dprintf(fd, "%d\n", getpid()) > 0;
}

int launcher_main(const char *socket_path, const char *pid_path)
{
	int listener, signals, null = open("/dev/null", O_RDWR);
	sigset_t all;

	setsid();
	for (int fd = 0; fd < 3; fd++)
		dup2(null, fd);
	close_all_but(NULL, 0);
	reset_signals();
	limit_open_files();
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	if (chdir("/") || !claim(pid_path))
		return 1;
	paths[0] = strdup(socket_path);
	paths[1] = strdup(pid_path);
	watch_mounts();
	signals = signalfd(-1, &all, SFD_CLOEXEC | SFD_NONBLOCK);
	listener = link_listen(socket_path);
	if (signals < 0 || listener < 0)
		return 1;
	serve(listener, signals);
}
