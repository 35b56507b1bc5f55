/* What the peers run in a container: says that it runs, and stays until it is killed. */
#include <unistd.h>

int main(void)
{
	if (write(1, "r", 1) != 1)
		return 1;
	for (;;)
		pause();
}
