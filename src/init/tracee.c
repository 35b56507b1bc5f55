/*
 * Stops a process, has it do system calls, and lets it go: ptrace(2). It is waited for by waitpid(2) alone, which a timer
 * interrupts: no signal is made for each stop. Never by looking again and again: where the tracee has to run on the same
 * processor, that keeps it from what is waited for.
 */
#include "nsdir-init.h"
#include "tracee.h"

#include <elf.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/wait.h>

#ifndef PTRACE_GETSIGMASK
#define PTRACE_GETSIGMASK 0x420a
#define PTRACE_SETSIGMASK 0x420b
#endif

/* How long the process may take to stop; one that sleeps uninterruptibly does not. Then it goes on untouched. */
#define STOP_LIMIT_MS 1000
/* How long its system calls may take, all together. Then those still to come are not done. */
#define CALLS_LIMIT_MS 3000
/* How long it is then waited for, to be let go as it was. After that it is left with the registers of its last call. */
#define LET_GO_LIMIT_MS 86400000
/* How often a wait is interrupted whose time is over. */
#define ALARM_AGAIN_US 100000

static pid_t traced;
/* As it was before its first call. */
static char saved[REGISTERS_MAX];
static size_t saved_size;
static uint64_t mask;

/* The call that it makes; `begun` once it has entered the kernel for it. */
static struct {
	char registers[REGISTERS_MAX];
	size_t size;
	int note;
	bool begun;
} call;

bool is_traced(void)
{
	return traced != 0;
}

static long registers(int request, int note, void *data, size_t *size)
{
	struct iovec set = { data, *size };
	long result = ptrace(request, traced, (void *)(long)note, &set);

	*size = set.iov_len;
	return result;
}

static void set_registers(int note, const void *data, size_t size)
{
	registers(PTRACE_SETREGSET, note, (void *)data, &size);
}

void set_tracee_registers(const char *data, size_t size)
{
	set_registers(NT_PRSTATUS, data, size);
}

static void set_mask(uint64_t bits)
{
	ptrace(PTRACE_SETSIGMASK, traced, sizeof(bits), &bits);
}

static void interrupt(int signal)
{
	(void)signal;
}

/* Stops are waited for, and not told by a signal. */
void prepare_tracer(void)
{
	struct sigaction child = { .sa_handler = SIG_DFL, .sa_flags = SA_NOCLDSTOP };
	struct sigaction alarm = { .sa_handler = interrupt };

	sigaction(SIGCHLD, &child, NULL);
	sigaction(SIGALRM, &alarm, NULL);
}

static int64_t deadline;

/* From now on a wait is interrupted when the time is over, and again and again: the first may come before the wait. */
static void begin_limit(int64_t ms)
{
	struct itimerval timer = { { 0, ALARM_AGAIN_US }, { ms / 1000, ms % 1000 * 1000 } };

	deadline = now_ms() + ms;
	setitimer(ITIMER_REAL, &timer, NULL);
}

static void end_limit(void)
{
	struct itimerval none = { 0 };

	setitimer(ITIMER_REAL, &none, NULL);
}

/* The next change of its state; 0 if there is none in time, -1 if it is gone. */
static int next_status(void)
{
	for (;;) {
		int status;
		pid_t changed = waitpid(traced, &status, __WALL);

		if (changed == traced)
			return WIFSTOPPED(status) ? status : -1;
		if (changed < 0 && errno != EINTR)
			return -1;
		if (now_ms() >= deadline)
			return 0;
	}
}

static bool is_event(int status)
{
	return status >> 16 == PTRACE_EVENT_STOP;
}

/* Seizes it and asks it to stop. 0, or an errno: then there is nothing to let go of. */
int seize_tracee(pid_t pid)
{
	if (ptrace(PTRACE_SEIZE, pid, NULL, (void *)PTRACE_O_TRACESYSGOOD) || ptrace(PTRACE_INTERRUPT, pid, NULL, NULL))
		return errno;
	traced = pid;
	return 0;
}

/* Waits for the stop that was asked for; signals that come first are passed on. 0, EBUSY if it does not stop, ESRCH. */
int await_stop(char *data, size_t *size)
{
	int status;

	begin_limit(STOP_LIMIT_MS);
	while ((status = next_status()) > 0 && !is_event(status))
		ptrace(PTRACE_CONT, traced, NULL, (void *)(long)WSTOPSIG(status));
	end_limit();
	if (status == 0)
		return EBUSY;
	saved_size = *size;
	if (status > 0 && !registers(PTRACE_GETREGSET, NT_PRSTATUS, saved, &saved_size)) {
		memcpy(data, saved, saved_size);
		*size = saved_size;
		return 0;
	}
	traced = 0;
	return ESRCH;
}

/* The word of its memory that begins so many bytes before where the register points; 0 if it cannot be read. */
uint64_t instruction_before(const char *next, uint32_t bytes)
{
	uint64_t at;

	memcpy(&at, next, sizeof(at));
	errno = 0;
	long word = ptrace(PTRACE_PEEKTEXT, traced, (void *)(uintptr_t)(at - bytes), NULL);
	return errno ? 0 : (uint64_t)word;
}

/* Waits for the next entry to or exit from a system call. Stops by job control on the way cannot be held back: they are
 * passed. 0, EBUSY, ESRCH. */
static int await_call(void)
{
	for (;;) {
		int status = next_status();

		if (status == 0)
			return EBUSY;
		if (status < 0)
			return ESRCH;
		if (!is_event(status) && WSTOPSIG(status) == (SIGTRAP | 0x80))
			return 0;
		if (ptrace(PTRACE_SYSCALL, traced, NULL, (void *)(long)(is_event(status) ? 0 : WSTOPSIG(status))))
			return ESRCH;
	}
}

static int to_call(void)
{
	return ptrace(PTRACE_SYSCALL, traced, NULL, NULL) ? ESRCH : await_call();
}

static bool is_error(int64_t result)
{
	return result < 0 && result >= -4095;
}

static void put_back(void)
{
	set_registers(NT_PRSTATUS, saved, saved_size);
	set_mask(mask);
}

static void set_call(void)
{
	int32_t none = -1;

	set_registers(NT_PRSTATUS, call.registers, call.size);
	if (call.note)
		set_registers(call.note, &none, sizeof(none));
}

/* 0, with the registers after the call; EBUSY if it does not come out of it, ESRCH. */
static int make_call(char *after)
{
	size_t size = call.size;
	int error;

	set_call();
	call.begun = false;
	error = to_call();
	if (error)
		return error;
	call.begun = true;
	error = to_call();
	if (!error && registers(PTRACE_GETREGSET, NT_PRSTATUS, after, &size))
		error = ESRCH;
	return error;
}

/* 0, or EBUSY or ESRCH for the step that it is lost in; `error` is that of the first call that failed. */
static int make_steps(const struct program *program, int64_t *results, int *error)
{
	char after[REGISTERS_MAX];

	for (size_t at = 0; at < program->count; at++)
		results[at] = -ECANCELED;
	for (size_t at = 0; at < program->count; at++) {
		const char *place = program->steps + at * (sizeof(struct step) + program->size);
		struct step step;
		int lost;

		memcpy(&step, place, sizeof(step));
		if ((*error && !step.always) || (step.from >= 0 && is_error(results[step.from])))
			continue;
		memcpy(call.registers, place + sizeof(step), program->size);
		if (step.from >= 0)
			memcpy(call.registers + 8 * step.word, &results[step.from], 8);
		lost = make_call(after);
		if (lost)
			return lost;
		memcpy(&results[at], after + 8 * program->result_word, 8);
		if (!*error && is_error(results[at]))
			*error = (int)-results[at];
	}
	return 0;
}

/*
 * The steps in order, with all signals held back; then registers and mask are as they were. 0, or an errno: that of the
 * first call that failed, ESRCH if it is gone, ETIMEDOUT if it is in a call still: then nothing can be put back yet.
 */
int run_program(const struct program *program, int64_t *results)
{
	int error = 0, lost;

	call.size = program->size;
	call.note = program->call_note;
	ptrace(PTRACE_GETSIGMASK, traced, sizeof(mask), &mask);
	set_mask(UINT64_MAX);
	begin_limit(CALLS_LIMIT_MS);
	lost = make_steps(program, results, &error);
	end_limit();
	if (lost)
		return lost == EBUSY ? ETIMEDOUT : lost;
	put_back();
	return error;
}

void let_go(void)
{
	if (traced)
		ptrace(PTRACE_DETACH, traced, NULL, NULL);
	traced = 0;
}

/* One that was in a call still: it is put back when it comes out, and let go. A call not begun yet is not made: with the
 * registers from before it none is asked for. */
_Noreturn void let_go_late(void)
{
	int error;

	begin_limit(LET_GO_LIMIT_MS);
	error = await_call();

	if (!error && !call.begun) {
		set_call();
		error = to_call();
	}
	if (!error) {
		put_back();
		let_go();
	}
	exit(0);
}
