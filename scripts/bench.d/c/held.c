/*
 * held FILE MEGABYTES: holds so much memory, and writes to FILE the longest time, in nanoseconds, for which it did not run
 * since FILE was removed last. FILE is there when it has begun.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static long long now(void)
{
	struct timespec at;

	clock_gettime(CLOCK_MONOTONIC, &at);
	return at.tv_sec * 1000000000LL + at.tv_nsec;
}

static void tell(const char *path, long long longest)
{
	char text[32];
	int length = snprintf(text, sizeof(text), "%lld\n", longest), fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);

	if (write(fd, text, (size_t)length) != length)
		_exit(1);
	close(fd);
}

int main(int argc, char **argv)
{
	struct timespec pause = { .tv_nsec = 1000000 };
	size_t bytes = argc == 3 ? (size_t)atol(argv[2]) << 20 : 0;
	char *memory = bytes ? malloc(bytes) : NULL;
	long long last, longest = 0;

	for (size_t at = 0; at < bytes; at += sizeof(long))
		*(long *)(memory + at) = random();
	tell(argv[1], 0);
	for (last = now();; last = now()) {
		long long gap;

		nanosleep(&pause, NULL);
		gap = now() - last;
		if (access(argv[1], F_OK)) {
			longest = 0;
			tell(argv[1], 0);
		} else if (gap > longest) {
			longest = gap;
			tell(argv[1], longest);
		}
	}
}
