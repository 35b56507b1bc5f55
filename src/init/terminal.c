/* A pseudo-terminal between a person's terminal and a command in a container. */
#include "nsdir-init.h"
#include "terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#ifndef TIOCGPTPEER
#define TIOCGPTPEER _IO('T', 0x41)
#endif

/* Input that the command has not read yet; more stays in our own terminal. */
static char typed[4096];
static size_t typed_length;
static bool hung_up;

static struct termios before;
static bool is_raw;

int open_terminal(void)
{
	int unlocked = 0, master = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC);

	if (master < 0)
		return -1;
	if (ioctl(master, TIOCSPTLCK, &unlocked)) {
		close(master);
		return -1;
	}
	return master;
}

bool take_terminal(int master)
{
	/* By the master, not by a name: /dev/pts may be another one here. */
	int slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY);

	if (slave < 0 || setsid() < 0 || ioctl(slave, TIOCSCTTY, 0))
		return false;
	for (int fd = 0; fd < 3; fd++)
		if (isatty(fd) && dup2(slave, fd) < 0)
			return false;
	if (slave > 2)
		close(slave);
	return true;
}

void resize_terminal(int master)
{
	struct winsize size;

	if (!ioctl(0, TIOCGWINSZ, &size))
		ioctl(master, TIOCSWINSZ, &size);
}

/* What is typed goes through as it is; the command's terminal makes lines and signals of it. */
void begin_terminal(int master)
{
	struct termios raw;

	fcntl(master, F_SETFL, O_NONBLOCK);
	resize_terminal(master);
	if (tcgetattr(0, &before))
		return;
	tcsetattr(master, TCSANOW, &before);
	raw = before;
	cfmakeraw(&raw);
	is_raw = !tcsetattr(0, TCSADRAIN, &raw);
}

void poll_terminal(int master, struct pollfd polled[2])
{
	bool has_room = typed_length < sizeof(typed);

	polled[0] = (struct pollfd){ .fd = master >= 0 && has_room && !hung_up ? 0 : -1, .events = POLLIN };
	polled[1] = (struct pollfd){ .fd = master, .events = (short)(POLLIN | (typed_length > 0 ? POLLOUT : 0)) };
}

static void write_all(const char *data, size_t length)
{
	while (length > 0) {
		ssize_t written = write(1, data, length);

		if (written < 0 && errno != EINTR)
			return;
		if (written > 0) {
			data += written;
			length -= (size_t)written;
		}
	}
}

/* What the command wrote; whether there was any. EIO: nobody has its terminal open. */
static bool show(int master)
{
	char text[4096];
	ssize_t got = read(master, text, sizeof(text));

	if (got > 0)
		write_all(text, (size_t)got);
	return got > 0;
}

bool relay_terminal(int master, const struct pollfd polled[2])
{
	ssize_t got, sent;

	if (master < 0)
		return true;
	if (polled[1].revents & POLLIN)
		show(master);
	else if (polled[1].revents & (POLLHUP | POLLERR))
		poll(NULL, 0, 10); /* between the command's end and the word of it, or until it opens its terminal again */
	if (polled[0].revents) {
		got = read(0, typed + typed_length, sizeof(typed) - typed_length);
		if (got > 0)
			typed_length += (size_t)got;
		else if (got == 0 || (errno != EINTR && errno != EAGAIN))
			hung_up = true;
	}
	if (typed_length > 0 && (sent = write(master, typed, typed_length)) > 0) {
		typed_length -= (size_t)sent;
		memmove(typed, typed + sent, typed_length);
	}
	return !(hung_up && polled[0].revents);
}

void end_terminal(int master)
{
	/* As much as a terminal holds: others may go on writing for ever. */
	for (int chunk = 0; master >= 0 && chunk < 64 && show(master); chunk++)
		;
	if (is_raw)
		tcsetattr(0, TCSADRAIN, &before);
	is_raw = false;
}
