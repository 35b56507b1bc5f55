/*
 * fuse_loop_mt(3) of libfuse 2 for fuse-native, with threads that do not end before the mount does. The library's own ends
 * those that more than ten others wait beside, and fuse-native forgets what it keeps of each thread. Loaded before
 * fuse-native, for all to see (RTLD_GLOBAL), so that it comes before the library's (mount/native/library.ts).
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/types.h>

/* Of libfuse 2.9: fuse_common.h, fuse_lowlevel.h, fuse_kernel.h. */
struct fuse_buf {
	size_t size;
	int flags;
	void *mem;
	int fd;
	off_t pos;
};
#define FUSE_BUF_IS_FD (1 << 1)
#define FUSE_FORGET 2
#define FUSE_BATCH_FORGET 42

struct request_header {
	uint32_t length, opcode;
};

/* Requests under way at once, each of which waits in a thread; further ones wait in the kernel. */
#define LOOP_THREADS_MAX 1024

static struct {
	void *(*session_of)(void *fuse);
	void *(*next_channel)(void *session, void *channel);
	size_t (*size_for)(void *channel);
	int (*receive)(void *session, struct fuse_buf *buffer, void **channel);
	void (*process)(void *session, const struct fuse_buf *buffer, void *channel);
	void (*leave)(void *session);
	int (*has_left)(void *session);
} library;

static const struct {
	const char *name;
	void *where;
} FUNCTIONS[] = {
	{ "fuse_get_session", &library.session_of },	 { "fuse_session_next_chan", &library.next_channel },
	{ "fuse_chan_bufsize", &library.size_for },	 { "fuse_session_receive_buf", &library.receive },
	{ "fuse_session_process_buf", &library.process }, { "fuse_session_exit", &library.leave },
	{ "fuse_session_exited", &library.has_left },
};

/* One mount. */
struct loop {
	pthread_mutex_t lock;
	pthread_cond_t ended;
	void *session, *channel;
	size_t size;
	int threads; /* all there are */
	int waiting; /* of them, those that wait for a request */
	int failed;
};

static int start_thread(struct loop *loop);

/* Takes a request and answers it. -1 if there will be no more. */
static int serve_one(struct loop *loop, void *memory)
{
	struct fuse_buf buffer = { .size = loop->size, .mem = memory };
	void *channel = loop->channel;
	int got = library.receive(loop->session, &buffer, &channel), counts;

	if (got == -EINTR)
		return 0;
	if (got <= 0) {
		library.leave(loop->session);
		if (got < 0)
			loop->failed = -1;
		return -1;
	}
	/* What needs no answer is done at once. */
	counts = buffer.flags & FUSE_BUF_IS_FD ||
		 (((struct request_header *)buffer.mem)->opcode != FUSE_FORGET &&
		  ((struct request_header *)buffer.mem)->opcode != FUSE_BATCH_FORGET);
	pthread_mutex_lock(&loop->lock);
	loop->waiting -= counts;
	if (loop->waiting == 0 && loop->threads < LOOP_THREADS_MAX)
		start_thread(loop);
	pthread_mutex_unlock(&loop->lock);
	library.process(loop->session, &buffer, channel);
	pthread_mutex_lock(&loop->lock);
	loop->waiting += counts;
	pthread_mutex_unlock(&loop->lock);
	return 0;
}

static void *work(void *argument)
{
	struct loop *loop = argument;
	void *memory = malloc(loop->size);

	while (memory && !library.has_left(loop->session) && serve_one(loop, memory) == 0)
		;
	free(memory);
	pthread_mutex_lock(&loop->lock);
	loop->threads--;
	pthread_cond_signal(&loop->ended);
	pthread_mutex_unlock(&loop->lock);
	return NULL;
}

/* The lock is held. Signals are for the program's other threads. */
static int start_thread(struct loop *loop)
{
	pthread_t thread;
	sigset_t all, before;
	int error;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	error = pthread_create(&thread, NULL, work, loop);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (error)
		return -1;
	pthread_detach(thread);
	loop->threads++;
	loop->waiting++;
	return 0;
}

/* The library that fuse-native was linked with, which it has loaded for itself alone. */
static void *open_library(void *caller)
{
	Dl_info found;

	return dladdr(caller, &found) ? dlopen(found.dli_fname, RTLD_LAZY | RTLD_NOLOAD) : NULL;
}

static int find_functions(void *handle)
{
	for (size_t row = 0; row < sizeof(FUNCTIONS) / sizeof(*FUNCTIONS); row++)
		if (!(*(void **)FUNCTIONS[row].where = dlsym(handle, FUNCTIONS[row].name)))
			return -1;
	return 0;
}

int fuse_loop_mt(void *fuse)
{
	struct loop loop = { .lock = PTHREAD_MUTEX_INITIALIZER, .ended = PTHREAD_COND_INITIALIZER };
	void *handle = open_library(__builtin_return_address(0));
	int (*own)(void *) = handle ? dlsym(handle, "fuse_loop_mt") : NULL;

	if (!handle || find_functions(handle)) /* another library than is known here */
		return own ? own(fuse) : -1;
	loop.session = library.session_of(fuse);
	loop.channel = library.next_channel(loop.session, NULL);
	loop.size = library.size_for(loop.channel);
	pthread_mutex_lock(&loop.lock);
	loop.failed = start_thread(&loop);
	while (loop.threads > 0)
		pthread_cond_wait(&loop.ended, &loop.lock);
	pthread_mutex_unlock(&loop.lock);
	return loop.failed;
}
