/* Timing: nanoseconds of each operation, and what is printed of them. */
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

struct samples {
	long long *ns;
	long count;
};

static inline long long now_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static inline struct samples samples_for(long most)
{
	struct samples s = { calloc(most, sizeof(long long)), 0 };
	if (!s.ns)
		err(1, "no memory for %ld samples", most);
	return s;
}

static inline int by_size(const void *a, const void *b)
{
	long long x = *(const long long *)a, y = *(const long long *)b;
	return (x > y) - (x < y);
}

/* One line: label, number of operations, ns of all of them, ns of the median one, of the slowest, of 99 in 100. */
static inline void print_samples(const char *label, struct samples s)
{
	long long sum = 0;
	for (long i = 0; i < s.count; i++)
		sum += s.ns[i];
	qsort(s.ns, s.count, sizeof(long long), by_size);
	printf("%s %ld %lld %lld %lld %lld\n", label, s.count, sum, s.count ? s.ns[s.count / 2] : 0,
	       s.count ? s.ns[s.count - 1] : 0, s.count ? s.ns[s.count * 99 / 100] : 0);
}
