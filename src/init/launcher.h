/* What the launcher knows: starts under way (starts.c), inits that live and exits not written down yet (inits.c). */
#ifndef NSDIR_LAUNCHER_H
#define NSDIR_LAUNCHER_H

#include "nsdir-init.h"

#include <poll.h>

/* Starts under way; further ones wait unread. */
#define STARTING_MAX 128
/* How often it is looked, when there are so many, for one that is not waited for any longer. */
#define FULL_LOOK_MS 1000
/* The same, for an init that is about to become a child of this process. */
#define MADE_LOOK_MS 10

/* starts.c */
int starts_count(void);
/* Whether one more may begin. */
bool starts_have_room(void);
/* Begins a start that the connection asked for; tells it at once if that fails. */
void start_begin(uint64_t id, uint64_t serial, const struct spec *spec);
/* Kills what there is of a start of this connection; it will end as failed. */
void start_cancel(uint64_t id);
void starts_cancel_all(void);
/* Fills in what to poll for the starts, one each; takes what they report. */
void starts_poll(struct pollfd *polled);
void starts_take_reports(const struct pollfd *polled, int count);
/* A child died: before it is reaped, what it had to say is taken; afterwards its pid means nothing. */
void starts_hear_dying(pid_t pid);
void starts_note_reaped(pid_t pid);

/* launcher.c: whether one more container may run. */
bool has_room(void);

/* inits.c */
int inits_count(void);
/* Whether one more than `starting` may be started. */
bool inits_have_room(int starting);
/* An init lives: told to who asked for it, else to the daemon that is there now. */
void init_began(uint64_t id, uint64_t serial, pid_t pid, uint64_t start_time, bool asked_here);
/* A child was reaped: if it was an init, its exit is told until it is acked. */
void init_ended(pid_t pid, int status);
/* The exit is written down. */
void exit_acked(uint64_t serial, pid_t pid);
/* Tells a new connection who lives and who ended. */
void inits_tell(void);

#endif
