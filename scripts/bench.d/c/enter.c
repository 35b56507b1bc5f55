/* Enters, timed one by one: enter TREE CONTAINER COUNT. Each has a sleeping process of its own, which is then ended. */
#include "samples.h"
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	char link[64], target[512];

	if (argc != 4)
		errx(2, "usage: enter TREE CONTAINER COUNT");
	long count = atol(argv[3]);
	struct samples samples = samples_for(count);
	int directory = open(argv[1], O_RDONLY | O_DIRECTORY), proxy = openat(directory, ".proxy", O_RDONLY | O_DIRECTORY);
	if (proxy < 0)
		err(1, "open %s/.proxy", argv[1]);
	snprintf(target, sizeof target, "../%s", argv[2]);
	for (long i = 0; i < count; i++) {
		pid_t pid = fork();
		if (pid < 0)
			err(1, "fork");
		if (pid == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			for (;;)
				pause();
		}
		snprintf(link, sizeof link, "%d", (int)pid);
		usleep(1000); /* until it sleeps */
		long long began = now_ns();
		if (symlinkat(target, proxy, link))
			err(1, "have %s enter %s", link, argv[2]);
		samples.ns[samples.count++] = now_ns() - began;
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
	}
	print_samples("enter", samples);
	return 0;
}
