#ifndef PRIVATE_H
#define PRIVATE_H

/* Private, so that neither criu's files nor its mounts are seen by others, nor outlive it. */
#define PRIVATE_RUN "/run"

/*
 * Mounts an empty PRIVATE_RUN in the mount namespace of the caller, who has made it just now, with a copy of `known`, what
 * criu knows of the kernel, where that is there. NULL, or the step that failed, with errno.
 */
const char *private_run(const char *known);

/* `private KNOWN COMMAND [ARGUMENT...]`: runs it in a mount namespace of its own, with such a /run. */
int private_main(char **arguments);

#endif
