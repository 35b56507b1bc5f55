/*
 * nsdir-init tracer
 *
 * Traces one process at a time for the daemon, which tells it what to do on stdin and is answered on stdout. It is a process
 * of its own because a process that is made to do system calls must not be left in the middle of one: whoever traces it
 * must not be killed with the daemon. When the daemon is gone, what was begun is finished, the process let go, and this
 * ends. It knows nothing of the machine's registers: the daemon says which to set (src/kernel/architecture.ts).
 */
#include "nsdir-init.h"
#include "facts.h"
#include "tracee.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

/* Registers, and a word of memory. */
#define STOPPED_MAX (REGISTERS_MAX + sizeof(uint64_t))

/* How long a process stands still without a word from the daemon. Then it is let go as it was, and the word comes too late. */
#define WORD_LIMIT_MS 2000

/* How long after a process was seized it counts what the daemon saw of it before. */
#define SEEN_LIMIT_MS 50

/* Facts, or steps and a file's name. */
#define BODY_MAX (256 * 1024)

/* Of its session, where the kernel divides time among sessions (sched(7), autogroup). */
#define SERVING_NICE "-10"

enum { SEIZE = 1, STOPPED, RUN, END };

/*
 * All numbers are the machine's own. SEIZE has facts after it, RUN steps and the name of a cgroup.procs with the zero behind
 * it, END `size` bytes of registers, if that is not 0.
 */
struct command {
	uint32_t what;
	int32_t pid;
	uint32_t size;        /* bytes of the general registers */
	uint32_t count;       /* steps; of SEIZE: whether it is answered, before STOPPED is */
	uint32_t result_word; /* as in struct program */
	uint32_t place_word;  /* likewise */
	uint32_t call_note;   /* likewise */
	uint32_t before;      /* of SEIZE: so many bytes before the next instruction is one that is asked for; 0 for none */
	uint32_t steps;       /* bytes of them */
	uint32_t facts;       /* of SEIZE: bytes of them; of RUN: whether it is done only if they are so, and may come before STOPPED */
	uint32_t joins;       /* bytes of the file's name: the process is moved into that cgroup first */
	uint32_t unused;
	uint64_t place;       /* as in struct program; 0: where it was interrupted, */
	uint64_t instruction; /* if the word there is this */
	uint64_t mask;        /* in these bits */
};

/* `length` bytes follow: registers and the word of the instruction after STOPPED, a 64-bit result for each
 * step after RUN. */
struct answer {
	uint32_t what;
	int32_t error;
	uint32_t length;
	uint32_t unused;
};

/* When the process was seized, whether all facts were so when it had stopped, whether it was let go since no word came, and
 * where it was interrupted. */
static int64_t seized_ms;
static bool is_as_seen, is_late;
static uint64_t place, instruction;

/*
 * Without a process there is no limit: the daemon's end is heard of. It is polled for all the same: whoever waits in recv(2)
 * is woken by the daemon's own reading too, and the daemon takes the time for that (af_unix.c, unix_write_space).
 */
static bool read_fully(void *data, size_t length)
{
	char *at = data;

	while (length > 0) {
		struct pollfd polled = { .fd = 0, .events = POLLIN };
		ssize_t got;

		if (poll(&polled, 1, is_traced() ? WORD_LIMIT_MS : -1) == 0) {
			let_go();
			is_late = true;
		}
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

/* Answers that are not sent yet. */
static char answers[2 * (sizeof(struct answer) + STOPPED_MAX)];
static size_t answered;

static void answer(uint32_t what, int error, const void *data, size_t length)
{
	struct answer head = { what, error, (uint32_t)length, 0 };

	memcpy(answers + answered, &head, sizeof(head));
	if (length > 0)
		memcpy(answers + answered + sizeof(head), data, length);
	answered += sizeof(head) + length;
}

/* Nobody may be there to read it. */
static void tell(uint32_t what, int error, const void *data, size_t length)
{
	answer(what, error, data, length);
	write_fully(1, answers, answered);
	answered = 0;
}

static void seize(const struct command *command, const char *facts)
{
	char stopped[STOPPED_MAX];
	size_t size = command->size;
	int error = seize_tracee(command->pid);

	seized_ms = now_ms();
	is_as_seen = is_late = false;
	place = instruction = 0;
	if (command->count > 0)
		tell(SEIZE, error, NULL, 0);
	if (error && command->count > 0)
		return;
	if (!error)
		error = await_stop(stopped, &size);
	if (!error && command->before && 8 * (command->place_word + 1) <= size) {
		memcpy(&place, stopped + 8 * command->place_word, sizeof(place));
		place -= command->before;
		instruction = instruction_at(place);
	}
	memcpy(stopped + size, &instruction, sizeof(instruction));
	/* With facts, what is to be run has been said already: both are answered at once. */
	(command->facts && !error ? answer : tell)(STOPPED, error, stopped, error ? 0 : size + sizeof(instruction));
	/* The kernel lets it go, with nothing asked of it any more (exit_ptrace). */
	if (error == EBUSY)
		exit(0);
	is_as_seen = !error && are_so(facts, command->facts);
}

static bool joins(const struct command *command, const char *file)
{
	char pid[16];

	snprintf(pid, sizeof(pid), "%d", command->pid);
	return command->joins == 0 || write_text(file, pid);
}

/* Whether nothing has changed since the daemon looked, and the process is in its cgroup now. */
static bool may_begin(const struct command *command, const char *file)
{
	return is_traced() && is_as_seen && now_ms() - seized_ms <= SEEN_LIMIT_MS && tracee.size == command->size && place &&
	       ((instruction ^ command->instruction) & command->mask) == 0 && joins(command, file);
}

/* ESTALE: nothing was done, since it is not as it was seen. */
static void run(const struct command *command, const char *body)
{
	struct program program = {
		.steps = body,
		.length = command->steps,
		.count = command->count,
		.size = command->size,
		.result_word = command->result_word,
		.place_word = command->place_word,
		.place = command->place ? command->place : place,
		.call_note = (int)command->call_note,
	};
	int64_t results[STEPS_MAX] = { 0 };
	int error = is_traced() || (command->facts && !is_late) ? 0 : ETIMEDOUT;

	if (!error && command->facts && !may_begin(command, body + command->steps))
		error = ESTALE;
	if (!error)
		error = run_program(&program, results);
	if (!error)
		let_go();
	if (error == ETIMEDOUT && is_traced())
		halt();
	tell(RUN, error, results, command->count * sizeof(*results));
	if (error == ETIMEDOUT && is_traced())
		let_go_late();
}

static bool obey(const struct command *command)
{
	static char body[BODY_MAX];
	size_t size = command->size, length = (size_t)command->steps + command->joins;

	if (size > REGISTERS_MAX)
		return false;
	switch (command->what) {
	case SEIZE:
		if (command->facts > BODY_MAX || !read_fully(body, command->facts))
			return false;
		seize(command, body);
		return true;
	case RUN:
		if (command->count > STEPS_MAX || length > BODY_MAX || !read_fully(body, length) ||
		    (command->joins > 0 && body[length - 1]))
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
