/*
 * oracle LEVELS EXEC RUID EUID SUID RGID EGID SGID PERMITTED EFFECTIVE DUMPABLE
 *
 * A process with these credentials that asks the kernel. LEVELS: "-", or "OWNER:MAP,…", a user namespace for each, made by
 * the user OWNER, with the map "INSIDE OUTSIDE COUNT" (spaces as underscores). EXEC 1: the program is executed anew in the
 * innermost. It says "ready", then answers each line "PID" with 1 if PTRACE_SEIZE is allowed to it, else 0.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static void die(const char *what)
{
	printf("failed %s: %s\n", what, strerror(errno));
	fflush(stdout);
	exit(1);
}

static void write_map(pid_t pid, const char *kind, const char *text)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/%s_map", pid, kind);
	fd = open(path, O_WRONLY);
	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		_exit(1);
	close(fd);
}

/* One level further in. A helper that stays outside writes the maps. */
static void nest(unsigned owner, const char *map)
{
	int go[2], status;
	pid_t self = getpid(), helper;
	char byte;

	if (pipe(go) || (helper = fork()) < 0)
		die("fork");
	if (helper == 0) {
		close(go[1]);
		if (read(go[0], &byte, 1) != 1)
			_exit(1);
		write_map(self, "uid", map);
		write_map(self, "gid", map);
		_exit(0);
	}
	close(go[0]);
	if (prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP) || seteuid(owner) || unshare(CLONE_NEWUSER))
		die("unshare");
	prctl(PR_SET_DUMPABLE, 1);
	if (write(go[1], "x", 1) != 1 || waitpid(helper, &status, 0) != helper || status != 0)
		die("map");
	close(go[1]);
	if (setresgid(0, 0, 0) || setresuid(0, 0, 0))
		die("root of the namespace");
}

static void set_capabilities(uint64_t permitted, uint64_t effective)
{
	struct __user_cap_header_struct header = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct data[2] = {
		{ (uint32_t)effective, (uint32_t)permitted, 0 },
		{ (uint32_t)(effective >> 32), (uint32_t)(permitted >> 32), 0 },
	};

	if (syscall(SYS_capset, &header, data))
		die("capset");
}

static int may_seize(pid_t pid)
{
	int status;

	if (ptrace(PTRACE_SEIZE, pid, 0, 0))
		return 0;
	ptrace(PTRACE_INTERRUPT, pid, 0, 0);
	waitpid(pid, &status, __WALL);
	ptrace(PTRACE_DETACH, pid, 0, 0);
	return 1;
}

int main(int argc, char **argv)
{
	char line[64], *level, *rest;
	uint64_t permitted, effective;

	if (argc != 12)
		return 2;
	if (strcmp(argv[1], "-")) {
		rest = strdup(argv[1]);
		while ((level = strsep(&rest, ","))) {
			char *map = strchr(level, ':');

			*map++ = '\0';
			for (char *at = map; *at; at++)
				if (*at == '_')
					*at = ' ';
			nest((unsigned)strtoul(level, NULL, 10), map);
		}
		if (!strcmp(argv[2], "1")) {
			argv[1] = "-";
			execv("/proc/self/exe", argv);
			die("exec");
		}
	}
	setgroups(0, NULL);
	if (prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP) ||
	    setresgid((gid_t)atoi(argv[6]), (gid_t)atoi(argv[7]), (gid_t)atoi(argv[8])) ||
	    setresuid((uid_t)atoi(argv[3]), (uid_t)atoi(argv[4]), (uid_t)atoi(argv[5])))
		die("ids");
	permitted = strtoull(argv[9], NULL, 16);
	effective = strtoull(argv[10], NULL, 16);
	set_capabilities(permitted, effective & permitted);
	prctl(PR_SET_DUMPABLE, atoi(argv[11]));
	puts("ready");
	fflush(stdout);
	while (fgets(line, sizeof(line), stdin)) {
		printf("%d\n", may_seize(atoi(line)));
		fflush(stdout);
	}
	return 0;
}
