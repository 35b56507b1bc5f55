/* The launcher's connection with a daemon: frames of u32le length and NUL-terminated strings, both ways. */
#ifndef NSDIR_LINK_H
#define NSDIR_LINK_H

#include "nsdir-init.h"

/* Unsent bytes above which a daemon that does not read is given up. */
#define UNSENT_MAX (4 * 1024 * 1024)

/* Binds and listens; mode 0600. -1 with errno. */
int link_listen(const char *path);
/* Takes a waiting connection; the one before it is told `replaced` and closed. Whether there is a new one. */
bool link_accept(int listener);
/* Descriptor of the connection, -1 without one. */
int link_fd(void);
/* Number of the connection: a new one for each. */
unsigned int link_number(void);
/* Events to poll for. */
short link_events(void);
/* Reads what is there, as far as there is room. False if the daemon went away; its frames can still be taken. */
bool link_receive(void);
/* The next whole frame as strings, which live until the next call; -1 if there is none. Closes on a malformed one. */
int link_next(char *strings[STRINGS_MAX]);
/* Whether `link_next` would give a frame, so that nothing is to be waited for. */
bool link_has_frame(void);
/* Queues one frame; its strings are separated by newlines in `format`, each ended by one. Does nothing without a connection. */
__attribute__((format(printf, 1, 2))) void link_send(const char *format, ...);
/* Writes what is queued, as far as it goes. */
void link_flush(void);
void link_close(void);

#endif
