/* What the launcher's child does before it serves: from a clone of the launcher to a container's init. */
#include "nsdir-init.h"
#include "trees.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/* Longest name uname(2) can tell. */
#define HOSTNAME_MAX_BYTES 64

/* Ends this process if the launcher has given it up: nobody would know of it. */
static void report(int channel, int error, const char *step)
{
	struct report packet = { .error = error };

	strncpy(packet.step, step, sizeof(packet.step) - 1);
	if (send(channel, &packet, sizeof(packet), MSG_NOSIGNAL) < 0)
		_exit(1);
}

static int join_cgroup(int cgroup)
{
	int procs = openat(cgroup, "cgroup.procs", O_WRONLY | O_CLOEXEC);
	int result = procs < 0 || write(procs, "0", 1) != 1 ? -1 : 0;

	if (procs >= 0)
		close(procs);
	return result;
}

/* Whether `pid` has another cgroup namespace, or none to be seen: into its own one only who has rights over that may go (setns(2)). */
bool has_other_cgroups(pid_t pid)
{
	struct stat here, there;
	char path[32];

	snprintf(path, sizeof(path), "/proc/%d/ns/cgroup", pid);
	return stat("/proc/self/ns/cgroup", &here) == 0 && (stat(path, &there) || here.st_ino != there.st_ino);
}

/* The new namespace's root is the cgroup the process is in, so that comes first (cgroup_namespaces(7)). */
static const char *enter_cgroup(const struct spec *spec, int cgroup, int parent)
{
	if (cgroup >= 0 && join_cgroup(cgroup))
		return "join its cgroup";
	if (spec->flags & CLONE_NEWCGROUP)
		return unshare(CLONE_NEWCGROUP) ? "make a cgroup namespace" : NULL;
	if (parent >= 0 && setns(parent, CLONE_NEWCGROUP))
		return "enter the parent's cgroup namespace";
	return NULL;
}

/* At most 64 bytes of the name, cut between characters of UTF-8. */
static const char *set_hostname(const char *name)
{
	size_t length = strlen(name);

	if (length > HOSTNAME_MAX_BYTES)
		for (length = HOSTNAME_MAX_BYTES; length > 0 && ((unsigned char)name[length] & 0xc0) == 0x80;)
			length--;
	return sethostname(name, length) ? "set the host name" : NULL;
}

static const char *raise_loopback(void)
{
	struct ifreq request = { .ifr_name = "lo" };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int result;

	if (fd < 0)
		return errno == EAFNOSUPPORT ? NULL : "open a socket";
	request.ifr_flags = IFF_UP | IFF_RUNNING;
	result = ioctl(fd, SIOCSIFFLAGS, &request);
	close(fd);
	return result ? "raise the loopback interface" : NULL;
}

static const char *open_stdio(void)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (null < 0)
		return "open /dev/null";
	for (int fd = 0; fd < 3; fd++)
		dup2(null, fd);
	close(null);
	return NULL;
}

static const char *prepare(const struct spec *spec, const struct inherited *inherited, int *commands)
{
	int kept[3 + HOST_TREES_MAX] = { inherited->channel, inherited->commands, inherited->program };
	const int count = 3 + list_host_trees(kept + 3);
	const char *failed;

	if (spec->owner && (failed = settle_owner()))
		return failed;
	if ((failed = enter_cgroup(spec, inherited->cgroup, inherited->parent)))
		return failed;
	close_all_but(kept, count);
	if (!spec->owner) /* who has one is executed anew before he may look into it */
		prctl(PR_SET_DUMPABLE, 1); /* from here on there is nothing in it to hide, see start.c */
	setsid();
	umask(0);
	if (spec->flags & CLONE_NEWUTS && (failed = set_hostname(spec->hostname)))
		return failed;
	if (spec->flags & CLONE_NEWNET && (failed = raise_loopback()))
		return failed;
	if (spec->flags & CLONE_NEWNS && (failed = own_mount_tree(spec)))
		return failed;
	if (chdir("/"))
		return "enter /";
	if ((failed = open_stdio()))
		return failed;
	umask(022);
	if (spec->owner)
		*commands = inherited->commands;
	else if ((failed = listen_for_commands(commands_socket(spec), commands)))
		return failed;
	if (!(spec->flags & CLONE_NEWPID)) /* else orphans come to it by themselves */
		prctl(PR_SET_CHILD_SUBREAPER, 1);
	set_title(spec->hostname);
	return NULL;
}

/* Takes over the launcher's child: reports on the channel, then serves. */
_Noreturn void init_main(const struct spec *spec, const struct inherited *inherited)
{
	const char *failed;
	int channel = inherited->channel, commands = -1;
	char go;

	if (spec->parent || spec->owner)
		report(channel, REPORT_HELLO, "");
	if ((spec->flags & CLONE_NEWUSER || spec->owner) && recv(channel, &go, 1, 0) != 1)
		_exit(1);
	failed = prepare(spec, inherited, &commands);
	if (!failed && spec->owner) {
		report(channel, REPORT_EXECUTES, "");
		channel = become_program_of(spec, commands, channel, inherited->program);
		failed = "execute its program";
	}
	report(channel, failed ? errno : REPORT_READY, failed ? failed : "");
	close(channel);
	if (failed)
		_exit(1);
	become_program(spec, commands); /* requests wait in the socket meanwhile */
	serve_commands(commands);
}
