#ifndef NSDIR_TERMINAL_H
#define NSDIR_TERMINAL_H

#include <poll.h>
#include <stdbool.h>

/* The master of a new pseudo-terminal of the devpts that is seen at /dev, or -1 (pty(7)). */
int open_terminal(void);
/* In the command: a session of its own, with the master's terminal as stdin, stdout and stderr as far as those are one. */
bool take_terminal(int master);

/* In the one who stays outside. `master` -1: there is no terminal, and nothing is done. */
void begin_terminal(int master);
void resize_terminal(int master);
/* What to wait for: our input, and the master. */
void poll_terminal(int master, struct pollfd polled[2]);
/* Passes on what there is. False once, when our own terminal was hung up. */
bool relay_terminal(int master, const struct pollfd polled[2]);
/* The rest of the output, and our terminal as it was. */
void end_terminal(int master);

#endif
