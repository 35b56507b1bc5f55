/*
 * Containers whose init is made by another program: by CRIU anew from images, or by an OCI runtime from a bundle. The
 * program is a child of the launcher; what it makes is in the end a child of the launcher too.
 */
#ifndef NSDIR_MAKERS_H
#define NSDIR_MAKERS_H

#include "nsdir-init.h"

/* What the daemon asks for. Strings live in the launcher's receive buffer. */
struct restore_spec {
	struct spec place;     /* cgroup, parent and its start time, mount point, path (from the machine's root), inode */
	const char *work;      /* directory for what criu says */
	const char *root;      /* the container's root directory, as the machine has it */
	const char *output;    /* file that criu gets as descriptor 3, or empty */
	const char *arguments; /* criu's whole command line, a word a line */
};

struct bundle_spec {
	const char *cgroup;    /* where the runtime runs */
	const char *hierarchy; /* where cgroup v2 is mounted */
	const char *bundle;    /* absolute path */
	const char *work;      /* directory with the config.json to be used if there is one, the runtime's log and the pid */
	const char *output;    /* what the container's standard output and error are */
	const char *arguments; /* the runtime's whole command line, a word a line */
};

/* Names in the directory `work` of a bundle (src/container/bundle-place.ts). */
#define BUNDLE_CONFIG "config.json"
#define BUNDLE_LOG "log"
#define BUNDLE_PID "pid"

/* Where programs and tools expect the cgroups of a machine. */
#define CGROUPS "/sys/fs/cgroup"

/* Moves this process into a cgroup; NULL, or the step that failed. */
const char *join_by_path(const char *cgroup);

/* restore.c: begins; 0 and the *pid of criu, or an errno and the *step. */
int begin_restore(const struct restore_spec *spec, pid_t *pid, const char **step);

/* bundle.c: begins; 0 and the *pid of the runtime, or an errno and the *step. */
int begin_bundle(const struct bundle_spec *spec, pid_t *pid, const char **step);

/* makers.c: the launcher's table. */
bool handle_restore(char **words);
bool handle_bundle(char **words);
/* A child was reaped, that may be a maker. */
void maker_reaped(pid_t pid, int status);
/* A container that runs now that its maker has ended; its init is to be taken over. */
struct made {
	uint64_t id, serial, start_time;
	unsigned int link; /* connection that asked */
	pid_t init;
	bool ended; /* the init was reaped before */
	int status; /* its own then, as wait(2) has it */
};
/* Whether there is one, which is forgotten then: in *made. Those that have none are told. */
bool makers_made(struct made *made);
/* Whether one has ended whose init is not a child of this process yet. */
bool makers_wait(void);
int makers_count(void);

/* orphans.c: this many makers more or less whose orphans become the launcher's children (PR_SET_CHILD_SUBREAPER(2const)). */
void orphans_want(int change);
bool orphans_wanted(void);
/* A child was reaped while they are wanted. */
void orphans_note(pid_t pid, int status, uint64_t start_time);
/* Whether it is one that was reaped, the last of this number. */
bool orphans_find(pid_t pid, int *status, uint64_t *start_time);

#endif
