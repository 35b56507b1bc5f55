/* The socket on which an init takes commands. */
#include "nsdir-init.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* Binds a new one at `path`, for who makes it alone. NULL and the descriptor, or the step that failed. */
const char *listen_for_commands(const char *path, int *fd)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int result;

	if (strlen(path) >= sizeof(address.sun_path)) {
		errno = ENAMETOOLONG;
		return "name its socket";
	}
	strcpy(address.sun_path, path);
	*fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (*fd < 0)
		return "open its socket";
	unlink(path);
	umask(0177);
	result = bind(*fd, (struct sockaddr *)&address, sizeof(address));
	umask(022);
	return result ? "bind its socket" : NULL;
}
