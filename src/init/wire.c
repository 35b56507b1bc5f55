/* NUL-terminated strings one after another: what frames and requests are made of. */
#include "nsdir-init.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Points `strings` at each string of `data`. Their number, or -1 if the last has no end or there are more than `max`. */
int split_strings(char *data, size_t length, char **strings, int max)
{
	int count = 0;

	if (length == 0 || data[length - 1] != '\0')
		return -1;
	for (char *at = data; at < data + length; at += strlen(at) + 1) {
		if (count == max)
			return -1;
		strings[count++] = at;
	}
	return count;
}

/* Reads all of `text` as a decimal number up to `max`. */
bool parse_number(const char *text, uint64_t max, uint64_t *number)
{
	char *end;

	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	*number = strtoull(text, &end, 10);
	return !errno && !*end && *number <= max;
}

bool write_fully(int fd, const char *data, size_t length)
{
	while (length > 0) {
		ssize_t done = write(fd, data, length);

		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return false;
		data += done;
		length -= (size_t)done;
	}
	return true;
}
