/*
 * The peer for single requests: libfuse's low-level interface, one thread. One directory with one file `.state` of 8
 * bytes; attributes live 0 s, names 1 s, as the product's. At the end it prints how many requests of each kind came.
 */
#define FUSE_USE_VERSION 314
#include <errno.h>
#include <fuse_lowlevel.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum { FILE_ID = 2 };
static const char NAME[] = ".state", TEXT[] = "running\n";
static const double NAME_S = 1, ATTR_S = 0;
static long lookups, getattrs, opens, reads, releases;

static int attributes(fuse_ino_t id, struct stat *st)
{
	memset(st, 0, sizeof *st);
	st->st_ino = id;
	st->st_mode = id == FUSE_ROOT_ID ? S_IFDIR | 0755 : S_IFREG | 0644;
	st->st_nlink = id == FUSE_ROOT_ID ? 2 : 1;
	st->st_size = id == FUSE_ROOT_ID ? 0 : sizeof TEXT - 1;
	return id == FUSE_ROOT_ID || id == FILE_ID;
}

static void on_lookup(fuse_req_t request, fuse_ino_t parent, const char *name)
{
	struct fuse_entry_param entry = { .ino = FILE_ID, .attr_timeout = ATTR_S, .entry_timeout = NAME_S };
	lookups++;
	if (parent != FUSE_ROOT_ID || strcmp(name, NAME)) {
		fuse_reply_err(request, ENOENT);
		return;
	}
	attributes(FILE_ID, &entry.attr);
	fuse_reply_entry(request, &entry);
}

static void on_getattr(fuse_req_t request, fuse_ino_t id, struct fuse_file_info *info)
{
	struct stat st;
	(void)info;
	getattrs++;
	if (attributes(id, &st))
		fuse_reply_attr(request, &st, id == FUSE_ROOT_ID ? 1e6 : ATTR_S);
	else
		fuse_reply_err(request, ENOENT);
}

static void on_open(fuse_req_t request, fuse_ino_t id, struct fuse_file_info *info)
{
	(void)id;
	opens++;
	info->direct_io = 1;
	info->noflush = 1;
	fuse_reply_open(request, info);
}

static void on_read(fuse_req_t request, fuse_ino_t id, size_t size, off_t offset, struct fuse_file_info *info)
{
	size_t length = sizeof TEXT - 1;
	(void)id, (void)info;
	reads++;
	if (offset >= (off_t)length)
		fuse_reply_buf(request, NULL, 0);
	else
		fuse_reply_buf(request, TEXT + offset, size < length - offset ? size : length - offset);
}

static void on_release(fuse_req_t request, fuse_ino_t id, struct fuse_file_info *info)
{
	(void)id, (void)info;
	releases++;
	fuse_reply_err(request, 0);
}

int main(int argc, char **argv)
{
	static const struct fuse_lowlevel_ops operations = {
		.lookup = on_lookup, .getattr = on_getattr, .open = on_open, .read = on_read, .release = on_release,
	};
	char *options[] = { argv[0], "-o", "default_permissions,allow_other", NULL };
	struct fuse_args args = FUSE_ARGS_INIT(3, options);
	struct fuse_session *session = argc == 2 ? fuse_session_new(&args, &operations, sizeof operations, NULL) : NULL;

	if (!session || fuse_session_mount(session, argv[1])) {
		fprintf(stderr, "usage: peer MOUNTPOINT\n");
		return 1;
	}
	fuse_session_loop(session);
	fuse_session_destroy(session);
	printf("LOOKUP=%ld GETATTR=%ld OPEN=%ld READ=%ld RELEASE=%ld\n", lookups, getattrs, opens, reads, releases);
	return 0;
}
