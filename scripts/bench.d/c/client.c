/* File operations, timed one by one: client OPERATION DIR COUNT [NAME]. Prints as print_samples says. */
#define _GNU_SOURCE
#include "samples.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int dir;		/* of DIR */
static const char *name; /* NAME, or a prefix of names */
static int file;	/* O_PATH of NAME, for getattr */

/* The names of the operation that comes next: made before its time begins. */
static char this[256], renamed[256], state[300];

static void make_names(const char *prefix, long i)
{
	snprintf(this, sizeof this, "%s%ld", prefix, i);
	snprintf(renamed, sizeof renamed, "renamed%ld", i);
	snprintf(state, sizeof state, "%s/.state", this);
}

/* One GETATTR where attributes have no lifetime: the descriptor needs no lookup and is not open for the server. */
static void one_getattr(void)
{
	struct stat st;
	if (fstatat(file, "", &st, AT_EMPTY_PATH))
		err(1, "stat %s", name);
}

static void one_open(void)
{
	char text[64];
	int fd = openat(dir, name, O_RDONLY);
	if (fd < 0 || read(fd, text, sizeof text) <= 0)
		err(1, "read %s", name);
	close(fd);
}

static void one_stat(void)
{
	struct stat st;
	if (fstatat(dir, this, &st, AT_SYMLINK_NOFOLLOW))
		err(1, "stat %s", this);
}

static void one_absent(void)
{
	struct stat st;
	if (!fstatat(dir, this, &st, AT_SYMLINK_NOFOLLOW) || errno != ENOENT)
		errx(1, "%s is there", this);
}

static void one_mkdir(void)
{
	if (mkdirat(dir, this, 0755))
		err(1, "mkdir %s", this);
}

static void one_rename(void)
{
	if (renameat(dir, this, dir, renamed))
		err(1, "rename %s", this);
}

static void one_rmdir(void)
{
	if (unlinkat(dir, this, AT_REMOVEDIR))
		err(1, "rmdir %s", this);
}

static void one_start(void)
{
	one_mkdir();
	int fd = openat(dir, state, O_WRONLY | O_CREAT | O_TRUNC, 0644);
	if (fd < 0 || write(fd, "running\n", 8) != 8 || close(fd))
		err(1, "start %s", this);
}

/* rm -rf */
static void remove_below(int parent, const char *child)
{
	int fd = openat(parent, child, O_RDONLY | O_DIRECTORY);
	DIR *list = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;
	if (!list)
		err(1, "list %s", child);
	while ((entry = readdir(list))) {
		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
			continue;
		if (entry->d_type == DT_DIR)
			remove_below(fd, entry->d_name);
		else if (unlinkat(fd, entry->d_name, 0) && errno != ENOENT)
			err(1, "unlink %s/%s", child, entry->d_name);
	}
	closedir(list);
	if (unlinkat(parent, child, AT_REMOVEDIR))
		err(1, "rmdir %s", child);
}

static void one_remove(void)
{
	remove_below(dir, this);
}

static void timed(struct samples *samples, void (*operation)(void), long i)
{
	make_names(name, i);
	long long began = now_ns();
	operation();
	samples->ns[samples->count++] = now_ns() - began;
}

static const struct {
	const char *name;
	void (*one)(void);
} OPERATIONS[] = {
	{ "getattr", one_getattr }, { "open", one_open },     { "stat", one_stat },   { "absent", one_absent },
	{ "mkdir", one_mkdir },	    { "rename", one_rename }, { "rmdir", one_rmdir }, { "start", one_start },
	{ "remove", one_remove },
};

int main(int argc, char **argv)
{
	if (argc < 4)
		errx(2, "usage: client OPERATION DIR COUNT [NAME]");
	long count = atol(argv[3]);
	struct samples first = samples_for(count), second = samples_for(count);
	name = argc > 4 ? argv[4] : "n";
	dir = open(argv[2], O_RDONLY | O_DIRECTORY);
	if (dir < 0)
		err(1, "open %s", argv[2]);
	if (!strcmp(argv[1], "getattr"))
		file = openat(dir, name, O_PATH);

	/* start + kill + remove, one container after the other. */
	if (!strcmp(argv[1], "cycle")) {
		for (long i = 0; i < count; i++) {
			timed(&first, one_start, i);
			timed(&second, one_remove, i);
		}
		print_samples("start", first);
		print_samples("remove", second);
		return 0;
	}
	for (size_t o = 0; o < sizeof OPERATIONS / sizeof *OPERATIONS; o++) {
		if (strcmp(argv[1], OPERATIONS[o].name))
			continue;
		for (long i = 0; i < count; i++)
			timed(&first, OPERATIONS[o].one, i);
		print_samples(argv[1], first);
		return 0;
	}
	errx(2, "no operation %s", argv[1]);
}
