#include "nsdir-init.h"
#include "private.h"

#include <stdio.h>
#include <string.h>

int main(int argc, char **argv)
{
	if (is_program(argc, argv))
		program_main();
	if (argc == 4 && !strcmp(argv[1], "launcher")) {
		remember_title(argc, argv);
		return launcher_main(argv[2], argv[3]);
	}
	if (argc >= 2 && !strcmp(argv[1], "run"))
		return run_main(argc - 2, argv + 2);
	if (argc >= 2 && !strcmp(argv[1], "enter"))
		return enter_main(argc - 2, argv + 2);
	if (argc == 3 && !strcmp(argv[1], "ended"))
		return ended_main(argv[2]);
	if (argc == 3 && !strcmp(argv[1], "events"))
		return events_main(argv[2]);
	if (argc == 2 && !strcmp(argv[1], "tracer"))
		return tracer_main();
	if (argc >= 3 && !strcmp(argv[1], "machine"))
		return machine_main(argv + 2);
	if (argc >= 4 && !strcmp(argv[1], "private"))
		return private_main(argv + 2);
	fputs("usage: nsdir-init launcher SOCKET PIDFILE\n"
	      "       nsdir-init run [--main] [--detach LOG] [--root DIR] [--cwd DIR] SOCKET -- COMMAND [ARGUMENT...]\n"
	      "       nsdir-init ended DIRECTORY\n"
	      "       nsdir-init events FILE\n"
	      "       nsdir-init tracer\n"
	      "       nsdir-init machine COMMAND [ARGUMENT...]\n"
	      "       nsdir-init private KNOWN COMMAND [ARGUMENT...]\n"
	      "       nsdir-init enter [--part KIND]... [--shell] [--named] MOUNTPOINT CONTAINER -- COMMAND [ARGUMENT...]\n",
	      stderr);
	return 125;
}
