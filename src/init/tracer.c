/*
 * nsdir-init tracer
 *
 * Traces one process at a time for the daemon, which tells it what to do on stdin and is answered on stdout. It is a process
 * of its own because a process that is made to do system calls must not be left in the middle of one: whoever traces it
 * must not be killed with the daemon. When the daemon is gone, what was begun is finished, the process let go, and this
 * ends. It knows nothing of the machine's registers: the daemon says which to set (src/kernel/architecture.ts).
 */
#include "nsdir-init.h"

#include <elf.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifndef PTRACE_GETSIGMASK
#define PTRACE_GETSIGMASK 0x420a
#define PTRACE_SETSIGMASK 0x420b
#endif

/* How long the process may take to stop, in milliseconds; one that sleeps uninterruptibly does not. */
#define STOP_LIMIT_MS 1000
/* How often it is looked for a stop without pause, and then with one, in microseconds: a wake-up costs more than a look. */
#define CLOSE_LOOKS 2000
#define LOOK_EVERY_US 200
#define REGISTERS_MAX 512
#define STEPS_MAX 8

enum { SEIZE = 1, STOPPED, RUN, END };

/* All numbers are the machine's own. `count` steps follow RUN, `size` bytes of registers END, if it is not 0. */
struct command {
	uint32_t what;
	int32_t pid;
	uint32_t size;        /* bytes of the general registers */
	uint32_t count;
	uint32_t result_word; /* where a call's result is, in 64-bit words */
	uint32_t call_note;   /* a further register set that takes a -1 before each call, 0 for none */
};

/* One system call, with `size` bytes of registers behind it. */
struct step {
	int32_t word, from; /* this word gets the result of step `from`; -1: none */
	uint32_t always;    /* also after one before it failed, if the one it takes a result from did not */
	uint32_t unused;
};

/* `length` bytes follow: registers after STOPPED, a 64-bit result for each step after RUN. */
struct answer {
	uint32_t what;
	int32_t error;
	uint32_t length;
	uint32_t unused;
};

static pid_t traced;
static char saved[REGISTERS_MAX], next[REGISTERS_MAX];
static size_t saved_size;
static uint64_t mask;

/* While a process stands still for us, the daemon's word is waited for without sleeping, for a while. */
static bool read_fully(void *data, size_t length)
{
	char *at = data;

	for (int looks = 0; length > 0; looks++) {
		ssize_t got = recv(0, at, length, traced && looks < CLOSE_LOOKS ? MSG_DONTWAIT : 0);

		if (got < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (got <= 0)
			return false;
		at += got;
		length -= (size_t)got;
	}
	return true;
}

static void tell(uint32_t what, int error, const void *data, size_t length)
{
	struct answer answer = { what, error, (uint32_t)length, 0 };
	char message[sizeof(answer) + REGISTERS_MAX];

	memcpy(message, &answer, sizeof(answer));
	memcpy(message + sizeof(answer), data, length);
	/* Nobody may be there to read it. */
	write_fully(1, message, sizeof(answer) + length);
}

static long registers(int request, int note, void *data, size_t *size)
{
	struct iovec set = { data, *size };
	long result = ptrace(request, traced, (void *)(long)note, &set);

	*size = set.iov_len;
	return result;
}

static void set_registers(int note, void *data, size_t size)
{
	registers(PTRACE_SETREGSET, note, data, &size);
}

static void set_mask(uint64_t bits)
{
	ptrace(PTRACE_SETSIGMASK, traced, sizeof(bits), &bits);
}

static int64_t now_ms(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

/* The next change of its state, at once or after a while; 0 if there is none in time, -1 if it is gone. */
static int next_status(int64_t deadline)
{
	for (int looks = 0;; looks++) {
		int status;
		pid_t changed = waitpid(traced, &status, WNOHANG | __WALL);

		if (changed == traced)
			return WIFSTOPPED(status) ? status : -1;
		if (changed < 0 && errno != EINTR)
			return -1;
		if (looks < CLOSE_LOOKS)
			continue;
		if (now_ms() > deadline)
			return 0;
		usleep(LOOK_EVERY_US);
	}
}

static bool is_event(int status)
{
	return status >> 16 == PTRACE_EVENT_STOP;
}

/* Waits for the stop that was asked for; signals that come first are passed on. 0, or an errno. */
static int wait_for_stop(int64_t deadline)
{
	for (;;) {
		int status = next_status(deadline);

		if (status == 0)
			return EBUSY;
		if (status < 0)
			return ESRCH;
		if (is_event(status))
			return 0;
		ptrace(PTRACE_CONT, traced, NULL, (void *)(long)WSTOPSIG(status));
	}
}

/* To the next entry to or exit from a system call. Stops by job control on the way cannot be held back: they are passed. */
static bool to_call(void)
{
	long signal = 0;

	for (;;) {
		int status;

		if (ptrace(PTRACE_SYSCALL, traced, NULL, (void *)signal))
			return false;
		status = next_status(INT64_MAX);
		if (status < 0)
			return false;
		if (!is_event(status) && WSTOPSIG(status) == (SIGTRAP | 0x80))
			return true;
		signal = is_event(status) ? 0 : WSTOPSIG(status);
	}
}

static bool is_error(int64_t result)
{
	return result < 0 && result >= -4095;
}

/* The steps in order, with all signals held back; then registers and mask are as they were. 0, or an errno. */
static int run(const struct command *command, const char *steps, int64_t *results)
{
	int error = 0;

	ptrace(PTRACE_GETSIGMASK, traced, sizeof(mask), &mask);
	set_mask(UINT64_MAX);
	for (uint32_t at = 0; at < command->count; at++) {
		const char *place = steps + at * (sizeof(struct step) + command->size);
		int32_t none = -1;
		size_t size = command->size;
		struct step step;

		memcpy(&step, place, sizeof(step));
		results[at] = -ECANCELED;
		if ((error && !step.always) || (step.from >= 0 && is_error(results[step.from])))
			continue;
		memcpy(next, place + sizeof(step), command->size);
		if (step.from >= 0)
			memcpy(next + 8 * step.word, &results[step.from], 8);
		set_registers(NT_PRSTATUS, next, command->size);
		if (command->call_note)
			set_registers((int)command->call_note, &none, sizeof(none));
		if (!to_call() || !to_call() || registers(PTRACE_GETREGSET, NT_PRSTATUS, next, &size))
			return ESRCH;
		memcpy(&results[at], next + 8 * command->result_word, 8);
		if (!error && is_error(results[at]))
			error = (int)-results[at];
	}
	set_registers(NT_PRSTATUS, saved, saved_size);
	set_mask(mask);
	return error;
}

static void let_go(void)
{
	if (traced)
		ptrace(PTRACE_DETACH, traced, NULL, NULL);
	traced = 0;
}

/* One that does not stop is let go when it does, or ends. */
static _Noreturn void let_go_some_day(void)
{
	if (wait_for_stop(INT64_MAX) == 0)
		let_go();
	exit(0);
}

static void seize(const struct command *command)
{
	int error = 0;

	traced = command->pid;
	if (ptrace(PTRACE_SEIZE, traced, NULL, (void *)PTRACE_O_TRACESYSGOOD) || ptrace(PTRACE_INTERRUPT, traced, NULL, NULL))
		error = errno;
	tell(SEIZE, error, NULL, 0);
	if (error) {
		traced = 0;
		return;
	}
	error = wait_for_stop(now_ms() + STOP_LIMIT_MS);
	saved_size = command->size;
	if (!error && registers(PTRACE_GETREGSET, NT_PRSTATUS, saved, &saved_size))
		error = errno;
	tell(STOPPED, error, saved, error ? 0 : saved_size);
	if (error == EBUSY)
		let_go_some_day();
	if (error)
		traced = 0;
}

static bool obey(const struct command *command)
{
	static char steps[STEPS_MAX * (sizeof(struct step) + REGISTERS_MAX)];
	int64_t results[STEPS_MAX];
	int error;

	if (command->size > REGISTERS_MAX || command->count > STEPS_MAX)
		return false;
	switch (command->what) {
	case SEIZE:
		seize(command);
		return true;
	case RUN:
		if (!read_fully(steps, command->count * (sizeof(struct step) + command->size)))
			return false;
		error = run(command, steps, results);
		if (!error)
			let_go();
		tell(RUN, error, results, command->count * sizeof(*results));
		return true;
	case END:
		if (command->size > 0 && !read_fully(next, command->size))
			return false;
		if (command->size > 0)
			set_registers(NT_PRSTATUS, next, command->size);
		let_go();
		return true;
	default:
		return false;
	}
}

int tracer_main(void)
{
	struct command command;

	signal(SIGPIPE, SIG_IGN);
	/* What ends the daemon on a terminal, or its group, is not meant for us. */
	setsid();
	while (read_fully(&command, sizeof(command)) && obey(&command))
		;
	let_go();
	return 0;
}
