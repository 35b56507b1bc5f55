#include "link.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define HEADER 4
#define BACKLOG 8
/* Longest frame the launcher sends, in bytes. */
#define REPLY_MAX 512

static int connection = -1;
static unsigned int number;
static char in[HEADER + FRAME_MAX];
static size_t in_length;
static size_t taken; /* bytes of `in` that the frame given last has */
static char out[UNSENT_MAX];
static size_t out_length;

int link_listen(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd;

	if (strlen(path) >= sizeof(address.sun_path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	strcpy(address.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	unlink(path);
	umask(0177);
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) || listen(fd, BACKLOG))
		return -1;
	umask(022);
	return fd;
}

int link_fd(void)
{
	return connection;
}

unsigned int link_number(void)
{
	return number;
}

void link_close(void)
{
	if (connection >= 0)
		close(connection);
	connection = -1;
	in_length = taken = out_length = 0;
}

bool link_accept(int listener)
{
	int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd < 0)
		return false;
	link_send("replaced\n");
	link_flush();
	link_close();
	connection = fd;
	number++;
	return true;
}

short link_events(void)
{
	return (short)((in_length < sizeof(in) ? POLLIN : 0) | (out_length ? POLLOUT : 0));
}

bool link_receive(void)
{
	ssize_t got;

	if (connection < 0 || in_length == sizeof(in))
		return true;
	got = recv(connection, in + in_length, sizeof(in) - in_length, 0);
	if (got > 0)
		in_length += (size_t)got;
	return got > 0 || (got < 0 && (errno == EAGAIN || errno == EINTR));
}

static size_t frame_length(const char *at)
{
	const unsigned char *byte = (const unsigned char *)at;

	return byte[0] | (size_t)byte[1] << 8 | (size_t)byte[2] << 16 | (size_t)byte[3] << 24;
}

static void drop_taken(void)
{
	in_length -= taken;
	memmove(in, in + taken, in_length);
	taken = 0;
}

bool link_has_frame(void)
{
	size_t rest = in_length - taken;

	return rest >= HEADER && rest - HEADER >= frame_length(in + taken);
}

int link_next(char *strings[STRINGS_MAX])
{
	size_t length;
	int count = -1;

	drop_taken();
	if (in_length < HEADER)
		return -1;
	length = frame_length(in);
	if (length <= FRAME_MAX && in_length - HEADER < length)
		return -1;
	if (length <= FRAME_MAX)
		count = split_strings(in + HEADER, length, strings, STRINGS_MAX);
	if (count < 0)
		link_close();
	else
		taken = HEADER + length;
	return count;
}

void link_send(const char *format, ...)
{
	char frame[HEADER + REPLY_MAX];
	va_list arguments;
	int length;

	if (connection < 0)
		return;
	va_start(arguments, format);
	length = vsnprintf(frame + HEADER, REPLY_MAX, format, arguments);
	va_end(arguments);
	if (length <= 0 || length >= REPLY_MAX)
		return;
	if (HEADER + (size_t)length > sizeof(out) - out_length) {
		link_close();
		return;
	}
	for (int index = 0; index < HEADER; index++)
		frame[index] = (char)(length >> 8 * index);
	for (char *at = frame + HEADER; (at = memchr(at, '\n', (size_t)(frame + HEADER + length - at)));)
		*at = '\0';
	memcpy(out + out_length, frame, HEADER + (size_t)length);
	out_length += HEADER + (size_t)length;
}

void link_flush(void)
{
	ssize_t sent;

	if (connection < 0 || out_length == 0)
		return;
	sent = send(connection, out, out_length, MSG_NOSIGNAL);
	if (sent > 0) {
		out_length -= (size_t)sent;
		memmove(out, out + sent, out_length);
	} else if (sent < 0 && errno != EAGAIN && errno != EINTR) {
		link_close();
	}
}
