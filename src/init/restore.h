/* Containers that CRIU makes anew from images: the launcher's part, and the child's that becomes criu. */
#ifndef NSDIR_RESTORE_H
#define NSDIR_RESTORE_H

#include "nsdir-init.h"

/* What the daemon asks for. Strings live in the launcher's receive buffer. */
struct restore_spec {
	struct spec place;     /* cgroup, parent and its start time, mount point, path (from the machine's root), inode */
	const char *work;      /* directory for what criu says */
	const char *arguments; /* criu's whole command line, a word a line */
};

/* restore.c: begins; 0 and the *pid of criu, a child of this process, or an errno and the *step. */
int begin_restore(const struct restore_spec *spec, pid_t *pid, const char **step);

/* restores.c: the launcher's table. */
bool handle_restore(char **words);
/* A child was reaped. If it was a criu whose container now runs: that container's init in *init, to be taken over. */
struct restored {
	uint64_t id, serial, start_time;
	unsigned int link; /* connection that asked */
	pid_t init;
};
bool restore_reaped(pid_t pid, int status, struct restored *restored);
int restoring_count(void);

#endif
