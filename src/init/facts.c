/*
 * Whether what the daemon saw of a process, in /proc, is still so: what it allowed by that is then done while the process
 * stands still, without another question to the daemon.
 */
#include "nsdir-init.h"
#include "facts.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Bytes of a file in /proc that are compared; a longer one is another one. */
#define TEXT_MAX (64 * 1024)

/* A fact is one of these, the file's name, and a text; a zero ends either. */
enum { WHOLE = 'w', LINES = 'l', END = 'e', START = 's' };

static char file[TEXT_MAX + 2];

/* The path of what is in there; empty: of nothing. */
static char held[64];

/* The directory of the last fact: many are of files in one, which the kernel is slow to find anew in /proc. */
static struct {
	int fd;
	size_t length;
	const char *path;
} directory = { .fd = -1 };

static void leave_directory(void)
{
	if (directory.fd >= 0)
		close(directory.fd);
	directory.fd = -1;
}

/* What names the file in `directory.fd`. */
static const char *enter_directory(const char *path)
{
	static char parent[PATH_MAX];
	const char *slash = strrchr(path, '/');
	size_t length = slash ? (size_t)(slash - path) : 0;

	if (length == 0 || length >= sizeof(parent))
		return NULL;
	if (directory.fd >= 0 && directory.length == length && memcmp(directory.path, path, length) == 0)
		return slash + 1;
	leave_directory();
	memcpy(parent, path, length);
	parent[length] = '\0';
	directory.fd = open(parent, O_PATH | O_DIRECTORY | O_CLOEXEC);
	directory.path = path;
	directory.length = length;
	return directory.fd < 0 ? NULL : slash + 1;
}

/* A newline, what is in the file, and a zero. The length with the newline, or -1. */
static ssize_t read_file(const char *name)
{
	int fd = name ? openat(directory.fd, name, O_RDONLY | O_CLOEXEC) : -1;
	size_t length = 1;
	ssize_t got = -1;

	if (fd < 0)
		return -1;
	file[0] = '\n';
	while (length <= TEXT_MAX && (got = read(fd, file + length, TEXT_MAX + 1 - length)) > 0)
		length += (size_t)got;
	close(fd);
	file[length] = '\0';
	return got == 0 ? (ssize_t)length : -1;
}

static bool is_whole(const char *name, const char *text, size_t length)
{
	return read_file(name) == (ssize_t)length + 1 && memcmp(file + 1, text, length) == 0;
}

/* `text` is a newline, and lines with theirs, in whatever order the file has them. */
static bool has_lines(const char *name, const char *text, size_t length)
{
	ssize_t size = read_file(name);
	const char *end;

	for (const char *line = text; size > 0 && line + 1 < text + length; line = end) {
		end = memchr(line + 1, '\n', (size_t)(text + length - line - 1));
		if (!end || !memmem(file, (size_t)size, line, (size_t)(end + 1 - line)))
			return false;
	}
	return size > 0;
}

/* What the link leads to ends so; no text: it cannot be read. */
static bool leads_to(const char *name, const char *text, size_t length)
{
	ssize_t size = readlinkat(directory.fd, name, file, TEXT_MAX);

	if (length == 0 || size < 0)
		return length == 0 && size < 0;
	return (size_t)size >= length && memcmp(file + size - length, text, length) == 0;
}

/* It is the process that started then, and lives. */
static bool has_started(const char *name, const char *text, size_t length)
{
	const char *at = read_file(name) > 0 ? strrchr(file, ')') : NULL; /* the name may have parentheses itself */

	if (!at || at[1] != ' ' || at[2] == 'Z' || at[2] == 'X')
		return false;
	for (int field = 0; at && field < FIELDS_BEFORE_START; field++)
		at = strchr(at + 1, ' ');
	return at && strncmp(at + 1, text, length) == 0 && at[1 + length] == ' ';
}

static bool is_so(char how, const char *path, const char *text, size_t length)
{
	const char *name = enter_directory(path);

	if (!name)
		return false;
	switch (how) {
	case WHOLE:
		return is_whole(name, text, length);
	case LINES:
		return has_lines(name, text, length);
	case END:
		return leads_to(name, text, length);
	case START:
		return has_started(name, text, length);
	default:
		return false;
	}
}

/* The fact at `at`, which is moved behind it; false if it is none, or not so. */
static bool next_is_so(const char **at, const char *end)
{
	const char *path = *at + 1, *text = memchr(*at, '\0', (size_t)(end - *at));
	const char *last = text ? memchr(text + 1, '\0', (size_t)(end - text - 1)) : NULL;
	char how = **at;

	if (!last || !is_so(how, path, text + 1, (size_t)(last - text - 1)))
		return false;
	snprintf(held, sizeof(held), "%s", how == LINES ? path : "");
	*at = last + 1;
	return true;
}

bool are_so(const char *facts, size_t length)
{
	const char *at = facts, *end = facts + length;
	bool so = true;

	held[0] = '\0';
	while (so && at < end)
		so = next_is_so(&at, end);
	leave_directory();
	return so;
}

bool read_masks(pid_t pid, const char *const *names, uint64_t *masks, size_t count)
{
	char path[32], key[32];
	ssize_t size = 1;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	if (strcmp(path, held) != 0) {
		size = read_file(enter_directory(path));
		leave_directory();
	}
	held[0] = '\0';
	for (size_t at = 0; at < count; at++) {
		const char *line;

		snprintf(key, sizeof(key), "\n%s:", names[at]);
		line = size > 0 ? strstr(file, key) : NULL;
		if (!line)
			return false;
		masks[at] = strtoull(line + strlen(key), NULL, 16);
	}
	return true;
}

bool write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool written = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

	if (fd >= 0)
		close(fd);
	return written;
}
