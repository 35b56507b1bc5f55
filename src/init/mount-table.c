#include "mount-table.h"
#include "nsdir-init.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* More than this of mountinfo is not read, in bytes. */
#define MOUNTINFO_MAX (4 * 1024 * 1024)

enum kind { DISK, CGROUP2, TMPFS, OTHER };

static struct {
	const char *point;
	enum kind kind;
} mounts[MOUNTS_MAX];

static struct mount_table table;

/* File systems of disks and servers whose source is no path of a device. */
static const char *const REMOTE[] = { "nfs", "nfs4", "cifs", "smb3", "9p", "virtiofs", "ceph", "afs", "zfs", "bcachefs" };

/* A container has its own of these: nothing of the host's is bound there. */
static const char *const FRESH[] = { "/proc", "/sys", "/dev", "/run" };

bool is_within(const char *path, const char *directory)
{
	size_t length = strlen(directory);

	return !strncmp(path, directory, length) && (path[length] == '/' || path[length] == '\0');
}

static enum kind kind_of(const char *type, const char *source)
{
	if (!strcmp(type, "cgroup2"))
		return CGROUP2;
	if (!strcmp(type, "tmpfs"))
		return TMPFS;
	if (!strncmp(type, "fuse", 4))
		return OTHER;
	for (size_t row = 0; row < sizeof(REMOTE) / sizeof(*REMOTE); row++)
		if (!strcmp(type, REMOTE[row]))
			return DISK;
	return !strncmp(source, "/dev/", 5) ? DISK : OTHER;
}

/* Space, tab, newline and backslash are written \ooo (proc_pid_mountinfo(5)). */
static void unescape(char *text)
{
	char *to = text;

	for (char *at = text; *at; to++) {
		if (at[0] == '\\' && at[1] >= '0' && at[1] <= '3' && at[2] && at[3]) {
			*to = (char)((at[1] - '0') * 64 + (at[2] - '0') * 8 + (at[3] - '0'));
			at += 4;
		} else {
			*to = *at++;
		}
	}
	*to = '\0';
}

/* One line: `id parent major:minor root POINT options [tag…] - TYPE SOURCE options`. */
static bool parse_line(char *line, int index)
{
	char *rest, *dash = strstr(line, " - ");
	char *point = strtok_r(line, " ", &rest), *type, *source;

	for (int field = 0; point && field < 4; field++)
		point = strtok_r(NULL, " ", &rest);
	if (!point || !dash || dash < point)
		return false;
	type = strtok_r(dash + 3, " ", &rest);
	source = strtok_r(NULL, " ", &rest);
	if (!type || !source)
		return false;
	unescape(point);
	mounts[index].point = point;
	mounts[index].kind = kind_of(type, source);
	return true;
}

/* Whether mount `index` is seen by its path, and its place will be there in the container. */
static bool is_wanted(int index, int count)
{
	const char *point = mounts[index].point;

	if (mounts[index].kind != DISK || !strcmp(point, "/"))
		return false;
	for (size_t row = 0; row < sizeof(FRESH) / sizeof(*FRESH); row++)
		if (is_within(point, FRESH[row]))
			return false;
	for (int other = 0; other < count; other++) {
		if (other > index && !strcmp(mounts[other].point, point))
			return false;
		if (mounts[other].kind != DISK && strcmp(mounts[other].point, "/") &&
		    is_within(point, mounts[other].point))
			return false;
	}
	return true;
}

static char *read_whole(int fd)
{
	static char *text;
	static size_t size;
	size_t length = 0;
	ssize_t got = 1;

	for (off_t at = 0; got > 0 && length < MOUNTINFO_MAX; at += got, length += (size_t)got) {
		if (size - length < 4096) {
			char *grown = realloc(text, size * 2 + 16384);

			if (!grown)
				return NULL;
			text = grown;
			size = size * 2 + 16384;
		}
		got = pread(fd, text + length, size - length - 1, at);
		if (got < 0)
			return NULL;
	}
	text[length] = '\0';
	return text;
}

const struct mount_table *read_mount_table(int mountinfo)
{
	char *rest, *text = read_whole(mountinfo);
	int count = 0;

	table.bind_count = 0;
	table.cgroup2 = NULL;
	table.tmp_is_tmpfs = false;
	if (!text)
		return &table;
	for (char *line = strtok_r(text, "\n", &rest); line && count < MOUNTS_MAX; line = strtok_r(NULL, "\n", &rest))
		count += parse_line(line, count);
	for (int index = 0; index < count; index++) {
		if (mounts[index].kind == CGROUP2)
			table.cgroup2 = mounts[index].point;
		if (!strcmp(mounts[index].point, "/tmp"))
			table.tmp_is_tmpfs = mounts[index].kind == TMPFS;
		if (table.bind_count < BINDS_MAX && is_wanted(index, count))
			table.binds[table.bind_count++] = mounts[index].point;
	}
	return &table;
}
