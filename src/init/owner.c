/*
 * A container of a user in root's tree. The launcher's child is that user's from before the user namespace is made, so that
 * it is his, too; and nothing of him runs before it has no rights but those that it has there.
 */
#include "nsdir-init.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Of linux/securebits.h: a change of ids leaves capabilities as they are (capabilities(7)). */
#define NO_SETUID_FIXUP (1 << 2)
/* Of linux/keyctl.h. */
#define KEYCTL_JOIN_SESSION_KEYRING 1

/* What takes root's rights, and the machine's files: the socket for commands, which is to be his, and the program. */
const char *prepare_owner(const struct spec *spec, int *commands, int *program)
{
	const struct rlimit processes = { spec->owner->processes, spec->owner->processes };
	const char *failed = listen_for_commands(spec->socket, commands);

	if (failed)
		return failed;
	if (lchown(spec->socket, spec->owner->uid, spec->owner->gid))
		return "give its socket to its owner";
	*program = open("/proc/self/exe", O_PATH | O_CLOEXEC);
	if (*program < 0)
		return "open its program";
	/* Set before the namespace is made: then they are the limits for all in there together (Linux 5.14). */
	if (limit_as_user())
		return "limit its resources";
	return setrlimit(RLIMIT_NPROC, &processes) ? "limit its processes" : NULL;
}

/*
 * In the helper: all ids become the owner's, but it keeps its capabilities for what is left to do, which end with the
 * step into the user namespace. System calls, not the C library's functions, which are for all threads of a program.
 */
const char *become_owner(const struct spec *spec)
{
	const struct owner *owner = spec->owner;

	if (syscall(SYS_setgroups, 0, NULL) || prctl(PR_SET_SECUREBITS, NO_SETUID_FIXUP) ||
	    syscall(SYS_setresgid, owner->gid, owner->gid, owner->gid) ||
	    syscall(SYS_setresuid, owner->uid, owner->uid, owner->uid))
		return "become its owner";
	/* In a namespace that is there already it has no capabilities over the cgroup, whose owner is root. */
	if (!*owner->uid_map)
		syscall(SYS_setfsuid, 0);
	prctl(PR_SET_DUMPABLE, 0); /* a change of ids may have set it (proc_sys_fs(5), suid_dumpable) */
	return NULL;
}

static int write_once(int proc, int number, const char *file, const char *text)
{
	char path[48];
	size_t length = strlen(text);
	int fd, result;

	snprintf(path, sizeof(path), "%d/%s", number, file);
	fd = openat(proc, path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	result = write(fd, text, length) == (ssize_t)length ? 0 : -1;
	close(fd);
	return result;
}

/*
 * The maps of a child's new user namespace, by its number in `proc`. As newgidmap(1) does it, groups cannot be dropped
 * where no other than the user's own is mapped. 0, or -1 with errno.
 */
int map_owner(const struct owner *owner, int proc, int number)
{
	const char *first_line_end = strchr(owner->gid_map, '\n');

	if (!first_line_end || !first_line_end[1])
		if (write_once(proc, number, "setgroups", "deny"))
			return -1;
	return write_once(proc, number, "uid_map", owner->uid_map) || write_once(proc, number, "gid_map", owner->gid_map) ? -1 : 0;
}

static ino_t root_namespace;

static ino_t user_namespace(void)
{
	struct stat found;

	return stat("/proc/self/ns/user", &found) ? 0 : found.st_ino;
}

/* In the launcher, before it starts anything: whose user namespace no process of an owner may be left in. */
void remember_user_namespace(void)
{
	root_namespace = user_namespace();
}

/* In the init, whose user namespace has its maps: from here on it is the root of that, and the user elsewhere. */
const char *settle_owner(void)
{
	ino_t own = user_namespace();

	/* However it came to be here. */
	if (!own || own == root_namespace) {
		errno = EPERM;
		return "leave root's user namespace";
	}
	if (syscall(SYS_setresgid, 0, 0, 0) || syscall(SYS_setresuid, 0, 0, 0))
		return "become root of its user namespace";
	prctl(PR_SET_DUMPABLE, 0);
	/* That of the launcher may hold keys of root's (keyrings(7)); where there are no keys, there is nothing to leave. */
	if (syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL) < 0 && errno != ENOSYS)
		return "get a session keyring of its own";
	return NULL;
}
