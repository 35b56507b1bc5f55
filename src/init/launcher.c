/*
 * nsdir-init launcher SOCKET PIDFILE
 *
 * Parent of all inits. Takes from its one daemon
 *
 *   start ID SERIAL CGROUP FLAGS HOSTNAME PARENT PARENT_START MOUNT_POINT PATH INODE INIT_SOCKET
 *   start-user ID … UID GID UID_MAP GID_MAP PROCESSES   the same, of an owner who is not root
 *   restore ID …         see makers.c
 *   bundle ID …          see makers.c
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
#include "launcher.h"
#include "link.h"
#include "makers.h"

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

/* Largest number JSON and the daemon can have. */
#define NUMBER_MAX ((UINT64_C(1) << 53) - 1)

static const char *paths[2]; /* removed at the end */

static _Noreturn void leave(void)
{
	for (int index = 0; index < 2; index++)
		unlink(paths[index]);
	_exit(0);
}

static void take_over_made(void)
{
	struct made made;

	while (makers_made(&made)) {
		init_began(made.id, made.serial, made.init, made.start_time, made.link == link_number());
		if (made.ended)
			init_ended(made.init, made.status);
	}
}

/* Reaps one dead child, after it was read what it had to say. Whether there was one. */
static bool reap_one(void)
{
	siginfo_t dead = { 0 };
	uint64_t start_time;
	int status;

	if (waitid(P_ALL, 0, &dead, WEXITED | WNOHANG | WNOWAIT) || !dead.si_pid)
		return false;
	starts_hear_dying(dead.si_pid);
	start_time = orphans_wanted() ? start_time_of(dead.si_pid) : 0;
	waitpid(dead.si_pid, &status, 0);
	starts_note_reaped(dead.si_pid);
	init_ended(dead.si_pid, status);
	if (orphans_wanted())
		orphans_note(dead.si_pid, status, start_time);
	maker_reaped(dead.si_pid, status);
	take_over_made();
	return true;
}

bool has_room(void)
{
	return inits_have_room(starts_count() + makers_count());
}

static bool start_for(char **words, const struct owner *owner)
{
	uint64_t id, serial, parent;
	struct spec spec = {
		.cgroup = words[3], .hostname = words[5], .mount_point = words[8], .path = words[9], .socket = words[11],
		.owner = owner,
	};

	if (!parse_number(words[1], NUMBER_MAX, &id) || !parse_number(words[2], NUMBER_MAX, &serial) ||
	    !parse_number(words[4], UINT32_MAX, &spec.flags) || !parse_number(words[6], INT32_MAX, &parent) ||
	    !parse_number(words[7], UINT64_MAX, &spec.parent_start) ||
	    !parse_number(words[10], UINT64_MAX, &spec.inode) || spec.mount_point[0] != '/')
		return false;
	spec.parent = (pid_t)parent;
	start_begin(id, serial, &spec);
	return true;
}

static bool handle_start(char **words)
{
	return start_for(words, NULL);
}

static bool handle_start_user(char **words)
{
	struct owner owner = { .uid_map = words[14], .gid_map = words[15] };
	uint64_t uid, gid;

	/* The last number is no id (user_namespaces(7)). */
	if (!parse_number(words[12], UINT32_MAX - 1, &uid) || !parse_number(words[13], UINT32_MAX - 1, &gid) ||
	    !parse_number(words[16], INT32_MAX, &owner.processes) || uid == 0 || gid == 0)
		return false;
	owner.uid = (uid_t)uid;
	owner.gid = (gid_t)gid;
	return start_for(words, &owner);
}

static bool handle_cancel(char **words)
{
	uint64_t id;

	if (!parse_number(words[1], NUMBER_MAX, &id))
		return false;
	start_cancel(id);
	return true;
}

static bool handle_ack(char **words)
{
	uint64_t serial, pid;

	if (!parse_number(words[1], NUMBER_MAX, &serial) || !parse_number(words[2], INT32_MAX, &pid))
		return false;
	exit_acked(serial, (pid_t)pid);
	return true;
}

static bool handle_quit(char **words)
{
	int count = inits_count() + starts_count() + makers_count();

	(void)words;
	if (count == 0)
		leave();
	link_send("busy\n%d\n", count);
	return true;
}

static const struct {
	const char *word;
	int count; /* of all words */
	bool (*handle)(char **words);
} REQUESTS[] = {
	{ "start", 12, handle_start },
	{ "start-user", 17, handle_start_user },
	{ "restore", 13, handle_restore },
	{ "bundle", 9, handle_bundle },
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

	starts_cancel_all();
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
	if (!link_accept(listener))
		return;
	inits_tell();
	link_send("welcome\n" PROTOCOL "\n");
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
		bool has_place = starts_have_room();
		int count = starts_count();
		int limit_ms = has_place && link_has_frame() ? 0 : makers_wait() ? MADE_LOOK_MS : has_place ? -1 : FULL_LOOK_MS;

		starts_poll(polled + FIXED);
		if (poll(polled, (nfds_t)(FIXED + count), limit_ms) < 0)
			continue;
		starts_take_reports(polled + FIXED, count);
		take_over_made();
		if (polled[SIGNALS].revents)
			handle_signals(signals);
		if (polled[LINK].revents & (POLLIN | POLLHUP | POLLERR) && !link_receive())
			end_link();
		if (polled[LISTENER].revents)
			change_link(listener);
		if (starts_count() < STARTING_MAX)
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
	fill_signals(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	if (chdir("/") || !claim(pid_path))
		return 1;
	paths[0] = strdup(socket_path);
	paths[1] = strdup(pid_path);
	watch_mounts();
	remember_user_namespace();
	signals = signalfd(-1, &all, SFD_CLOEXEC | SFD_NONBLOCK);
	listener = link_listen(socket_path);
	if (signals < 0 || listener < 0)
		return 1;
	serve(listener, signals);
}
