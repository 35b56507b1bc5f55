/*
 * An init whose mount tree is its own runs from a file that is in that tree, and listens there: only so can CRIU make it
 * anew elsewhere. The file is bound read-only, so that nobody inside writes the program others are started from.
 */
#include "nsdir-init.h"
#include "trees.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Relative to the container's root. */
#define PLACE "dev/.nsdir"
#define PROGRAM PLACE "/nsdir-init"
#define TITLE "nsdir-init "

/* Flags that make a mount read-only, whatever it was. */
#define READ_ONLY (MS_BIND | MS_REMOUNT | MS_RDONLY | MS_NODEV)

/*
 * The descriptor the program is started with, and the first that is free for others. CHANNEL is open only if an init of
 * protocol 1 started this, whose launcher outlived an upgrade, and hears there that it is ready.
 */
enum { COMMANDS = 3, CHANNEL = 4, FIRST_FREE = 5 };

static bool placed;

/*
 * The program that the daemon keeps beside the sockets of inits; false where there is none that can be run. Not access(2): of
 * a file system that is mounted noexec, that says no to everything, but where the program is bound it may be executed.
 */
bool program_beside(const struct spec *spec, char path[PATH_MAX])
{
	const char *slash = strrchr(spec->socket, '/');
	struct stat found;

	return slash && snprintf(path, PATH_MAX, "%.*s/nsdir-init", (int)(slash - spec->socket), spec->socket) < PATH_MAX &&
	       stat(path, &found) == 0 && S_ISREG(found.st_mode) && (found.st_mode & S_IXUSR);
}

/*
 * With the new root as working directory, before the host's tree is gone: binds the program. Where there is none the init stays what the launcher cloned. NULL, or the step that failed.
 */
const char *place_program(const struct spec *spec)
{
	char source[PATH_MAX];
	int fd;

	if (!program_beside(spec, source))
		return NULL;
	if (mkdir(PLACE, 0700))
		return "make " PLACE;
	fd = open(PROGRAM, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	if (fd < 0)
		return "make " PROGRAM;
	close(fd);
	if (bind_host_tree(&host_trees.program, source, PROGRAM))
		return "bind " PROGRAM;
	/* Who is root in a user namespace only cannot take away what the host's mount forbids (mount_namespaces(7)). */
	if (mount(NULL, PROGRAM, NULL, READ_ONLY, NULL) &&
	    mount(NULL, PROGRAM, NULL, READ_ONLY | MS_NOSUID | MS_NOEXEC, NULL))
		return "bind " PROGRAM;
	placed = true;
	return NULL;
}

/* Where the init takes requests. A socket outside is not left from a life in which it had no tree of its own. */
const char *commands_socket(const struct spec *spec)
{
	if (!placed)
		return spec->socket;
	unlink(spec->socket);
	return "/" PLACE "/commands";
}

/*
 * Goes on as the program inside, if there is one and it can be run; else returns, and the init stays what the launcher
 * cloned, which only cannot be dumped.
 */
void become_program(const struct spec *spec, int commands)
{
	char title[sizeof(TITLE) + NAME_MAX];
	char *argv[] = { title, NULL }, *environment[] = { NULL };

	if (!placed)
		return;
	snprintf(title, sizeof(title), TITLE "%s", spec->hostname);
	commands = fcntl(commands, F_DUPFD_CLOEXEC, FIRST_FREE);
	if (commands >= 0 && dup2(commands, COMMANDS) >= 0)
		execve("/" PROGRAM, argv, environment);
}

/*
 * The same for an init with an owner, from an open file of the program: it is the launcher's memory that he must not see.
 * Neither may he have the channel to the launcher, so it ends here: the kernel closes it before it lets him look into the new
 * program. If that cannot be executed: the descriptor that the channel has by then, and errno.
 */
int become_program_of(const struct spec *spec, int commands, int channel, int program)
{
	char title[sizeof(TITLE) + NAME_MAX];
	char *argv[] = { title, NULL }, *environment[] = { NULL };

	snprintf(title, sizeof(title), TITLE "%s", spec->hostname);
	commands = fcntl(commands, F_DUPFD_CLOEXEC, FIRST_FREE);
	channel = fcntl(channel, F_DUPFD_CLOEXEC, FIRST_FREE);
	program = fcntl(program, F_DUPFD_CLOEXEC, FIRST_FREE);
	if (commands >= 0 && channel >= 0 && program >= 0 && dup2(commands, COMMANDS) >= 0)
		syscall(SYS_execveat, program, "", argv, environment, AT_EMPTY_PATH);
	return channel;
}

/* Whether this is what `become_program` started. */
bool is_program(int argc, char **argv)
{
	return argc == 1 && !strncmp(argv[0], TITLE, strlen(TITLE));
}

_Noreturn void program_main(void)
{
	struct report ready = { .error = REPORT_READY };

	prctl(PR_SET_NAME, "nsdir-init"); /* of a program without a path the kernel knows no name */
	fcntl(COMMANDS, F_SETFD, FD_CLOEXEC);
	send(CHANNEL, &ready, sizeof(ready), MSG_NOSIGNAL);
	close(CHANNEL);
	serve_commands(COMMANDS);
}
