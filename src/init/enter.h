/* The two sides of nsdir-init enter: who stays outside (enter.c), and the helper, who enters (enter-helper.c). */
#ifndef ENTER_H
#define ENTER_H

#include <limits.h>
#include <signal.h>
#include <stdbool.h>

#define UNREACHABLE 125
#define NOT_RUN 126
#define NOT_FOUND 127
#define PARTS_MAX 8

struct job {
	const char *mount_point, *container;
	const char *parts[PARTS_MAX];
	int part_count;
	bool shell; /* take another shell if the container lacks this one */
	bool named; /* the tree does not know who asks */
	char **command;
	bool has_terminal;
	char cwd[PATH_MAX];
	sigset_t signals; /* as the caller had them */
};

/* What the helper tells. With CHILD come a pidfd of the command and, if there is a terminal, its master. */
enum news { REFUSED, CHILD, NOT_STARTED, ENDED };
struct message {
	enum news what;
	int value; /* an errno, or a wait(2) status */
};

_Noreturn void help_enter(const struct job *job, int channel);

#endif
