/* What criu has of its own: a mount namespace, and a /run in which it need not find out anew what the kernel can do. */
#include "nsdir-init.h"
#include "private.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

/* Where criu looks for what it found out at another time (its KERNDAT_CACHE_FILE), and the most that is. */
#define KNOWN PRIVATE_RUN "/criu.kdat"
#define KNOWN_MAX 65536

/* As env(1) has it. */
#define NOT_RUN 126

static void copy_known(int from)
{
	char bytes[KNOWN_MAX];
	ssize_t length = read(from, bytes, sizeof(bytes));
	int to = length > 0 && length < KNOWN_MAX ? open(KNOWN, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600) : -1;

	if (to < 0)
		return;
	/* A part of it criu would not take. */
	if (write(to, bytes, (size_t)length) != length)
		unlink(KNOWN);
	close(to);
}

const char *private_run(const char *known)
{
	int from = open(known, O_RDONLY | O_CLOEXEC); /* before something is mounted over it */

	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) || mount("tmpfs", PRIVATE_RUN, "tmpfs", 0, "mode=0700"))
		return "mount " PRIVATE_RUN;
	if (from >= 0) {
		copy_known(from);
		close(from);
	}
	return NULL;
}

int private_main(char **arguments)
{
	const char *failed = unshare(CLONE_NEWNS) ? "make a mount namespace" : private_run(arguments[0]);

	if (!failed) {
		execvp(arguments[1], arguments + 1);
		failed = "run criu";
	}
	fprintf(stderr, "Error (nsdir): Cannot %s: %s\n", failed, strerror(errno));
	return NOT_RUN;
}
