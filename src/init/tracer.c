/*
 * nsdir-init tracer
 *
 * Traces one process at a time for the daemon, which tells it what to do on stdin and is answered on stdout. It is a process
 * of its own because a process that is made to do system calls must not be left in the middle of one: whoever traces it
 * must not be killed with the daemon. When the daemon is gone, what was begun is finished, the process let go, and this
 * ends. It knows nothing of the machine's registers: the daemon says which to set (src/kernel/architecture.ts).
 */
#include "nsdir-init.h"
#include "tracee.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

/* Registers, and a word of memory. */
#define STOPPED_MAX (REGISTERS_MAX + sizeof(uint64_t))

/* How long a process stands still without a word from the daemon. Then it is let go as it was, and the word comes too late. */
#define WORD_LIMIT_MS 2000

/* Of its session, where the kernel divides time among sessions (sched(7), autogroup). */
#define SERVING_NICE "-10"

enum { SEIZE = 1, STOPPED, RUN, END };

/* All numbers are the machine's own. `count` steps follow RUN, `size` bytes of registers END, if it is not 0. */
struct command {
	uint32_t what;
	int32_t pid;
	uint32_t size;        /* bytes of the general registers */
	uint32_t count;       /* of SEIZE: whether it is answered, before STOPPED is */
	uint32_t result_word; /* as in struct program; of SEIZE: where it says which instruction is next */
	uint32_t call_note;   /* of SEIZE: how many bytes before that there is one that is asked for, 0 for none */
};

/* `length` bytes follow: registers and the word of the instruction after STOPPED, a 64-bit result for each
 * step after RUN. */
struct answer {
	uint32_t what;
	int32_t error;
	uint32_t length;
	uint32_t unused;
};

/* Without a process there is no limit: the daemon's end is heard of. */
static bool read_fully(void *data, size_t length)
{
	char *at = data;

	while (length > 0) {
		struct pollfd polled = { .fd = 0, .events = POLLIN };
		ssize_t got;

		if (is_traced() && poll(&polled, 1, WORD_LIMIT_MS) == 0)
			let_go();
		got = recv(0, at, length, 0);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return false;
		at += got;
		length -= (size_t)got;
	}
	return true;
}

/* Nobody may be there to read it. */
static void tell(uint32_t what, int error, const void *data, size_t length)
{
	struct answer answer = { what, error, (uint32_t)length, 0 };
	char message[sizeof(answer) + STOPPED_MAX];

	memcpy(message, &answer, sizeof(answer));
	if (length > 0)
		memcpy(message + sizeof(answer), data, length);
	write_fully(1, message, sizeof(answer) + length);
}

static void seize(const struct command *command)
{
	char stopped[STOPPED_MAX];
	size_t size = command->size;
	int error = seize_tracee(command->pid);
	uint64_t word = 0;

	if (command->count > 0)
		tell(SEIZE, error, NULL, 0);
	if (error && command->count > 0)
		return;
	if (!error)
		error = await_stop(stopped, &size);
	if (!error && command->call_note && 8 * (command->result_word + 1) <= size)
		word = instruction_before(stopped + 8 * command->result_word, command->call_note);
	memcpy(stopped + size, &word, sizeof(word));
	tell(STOPPED, error, stopped, error ? 0 : size + sizeof(word));
	/* The kernel lets it go, with nothing asked of it any more (exit_ptrace). */
	if (error == EBUSY)
		exit(0);
}

static void run(const struct command *command, const char *steps)
{
	struct program program = {
		.steps = steps,
		.count = command->count,
		.size = command->size,
		.result_word = command->result_word,
		.call_note = (int)command->call_note,
	};
	int64_t results[STEPS_MAX] = { 0 };
	int error = is_traced() ? run_program(&program, results) : ETIMEDOUT;

	if (!error)
		let_go();
	tell(RUN, error, results, command->count * sizeof(*results));
	if (error == ETIMEDOUT && is_traced())
		let_go_late();
}

static bool obey(const struct command *command)
{
	static char body[STEPS_MAX * (sizeof(struct step) + REGISTERS_MAX)];
	size_t size = command->size;

	if (size > REGISTERS_MAX)
		return false;
	switch (command->what) {
	case SEIZE:
		seize(command);
		return true;
	case RUN:
		if (command->count > STEPS_MAX || !read_fully(body, command->count * (sizeof(struct step) + size)))
			return false;
		run(command, body);
		return true;
	case END:
		if (size > 0 && !read_fully(body, size))
			return false;
		if (size > 0 && is_traced())
			set_tracee_registers(body, size);
		let_go();
		return true;
	default:
		return false;
	}
}

/* As the daemon does (src/kernel/priority.ts): a process stands still meanwhile. The session is ours alone. */
static void go_first(void)
{
	int fd = getpriority(PRIO_PROCESS, 0) == 0 ? open("/proc/self/autogroup", O_WRONLY | O_CLOEXEC) : -1;

	if (fd < 0)
		return;
	write_fully(fd, SERVING_NICE, strlen(SERVING_NICE));
	close(fd);
}

int tracer_main(void)
{
	struct command command;

	/* What who mounted had open, the daemon may have passed on. */
	close_all_but(NULL, 0);
	signal(SIGPIPE, SIG_IGN);
	prepare_tracer();
	/* What ends the daemon on a terminal, or its group, is not meant for us. */
	setsid();
	go_first();
	while (read_fully(&command, sizeof(command)) && obey(&command))
		;
	let_go();
	return 0;
}
