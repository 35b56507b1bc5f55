/*
 * Stops a process and lets it go: ptrace(2). It is waited for by waitpid(2) alone, which a timer interrupts: no signal is made
 * for each stop. Never by looking again and again: where the tracee has to run on the same processor, that keeps it from what
 * is waited for.
 */
#include "nsdir-init.h"
#include "tracee.h"

#include <elf.h>
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/wait.h>

/* How long the process may take to stop; one that sleeps uninterruptibly does not. Then it goes on untouched. */
#define STOP_LIMIT_MS 1000
/* How often a wait is interrupted whose time is over. */
#define ALARM_AGAIN_US 100000

struct tracee tracee;

bool is_traced(void)
{
	return tracee.pid != 0;
}

long get_registers(void *data, size_t *size)
{
	struct iovec set = { data, *size };
	long result = ptrace(PTRACE_GETREGSET, tracee.pid, (void *)(long)NT_PRSTATUS, &set);

	*size = set.iov_len;
	return result;
}

void set_registers(int note, const void *data, size_t size)
{
	struct iovec set = { (void *)data, size };

	ptrace(PTRACE_SETREGSET, tracee.pid, (void *)(long)note, &set);
}

void set_tracee_registers(const char *data, size_t size)
{
	set_registers(NT_PRSTATUS, data, size);
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
void begin_limit(int64_t ms)
{
	struct itimerval timer = { { 0, ALARM_AGAIN_US }, { ms / 1000, ms % 1000 * 1000 } };

	deadline = now_ms() + ms;
	setitimer(ITIMER_REAL, &timer, NULL);
}

void end_limit(void)
{
	struct itimerval none = { 0 };

	setitimer(ITIMER_REAL, &none, NULL);
}

/* The next change of its state; 0 if there is none in time, -1 if it is gone. */
int next_status(void)
{
	for (;;) {
		int status;
		pid_t changed = waitpid(tracee.pid, &status, __WALL);

		if (changed == tracee.pid)
			return WIFSTOPPED(status) ? status : -1;
		if (changed < 0 && errno != EINTR)
			return -1;
		if (now_ms() >= deadline)
			return 0;
	}
}

bool is_event(int status)
{
	return status >> 16 == PTRACE_EVENT_STOP;
}

/* Seizes it and asks it to stop. 0, or an errno: then there is nothing to let go of. */
int seize_tracee(pid_t pid)
{
	if (ptrace(PTRACE_SEIZE, pid, NULL, (void *)PTRACE_O_TRACESYSGOOD) || ptrace(PTRACE_INTERRUPT, pid, NULL, NULL))
		return errno;
	tracee.pid = pid;
	return 0;
}

/* Waits for the stop that was asked for; signals that come first are passed on. 0, EBUSY if it does not stop, ESRCH. */
int await_stop(char *data, size_t *size)
{
	int status;

	begin_limit(STOP_LIMIT_MS);
	while ((status = next_status()) > 0 && !is_event(status))
		ptrace(PTRACE_CONT, tracee.pid, NULL, (void *)(long)WSTOPSIG(status));
	end_limit();
	if (status == 0)
		return EBUSY;
	tracee.size = *size;
	if (status > 0 && !get_registers(tracee.registers, &tracee.size)) {
		memcpy(data, tracee.registers, tracee.size);
		*size = tracee.size;
		return 0;
	}
	tracee.pid = 0;
	return ESRCH;
}

/* The word of its memory there; 0 if it cannot be read. */
uint64_t instruction_at(uint64_t address)
{
	errno = 0;
	long word = ptrace(PTRACE_PEEKTEXT, tracee.pid, (void *)(uintptr_t)address, NULL);
	return errno ? 0 : (uint64_t)word;
}

/*
 * A signal that was kept back is given to it where it was about to take one; else by kill(2), which loses no more than who sent
 * it.
 */
void let_go(void)
{
	int signal = tracee.kept.si_signo;
	bool given = signal && tracee.takes_signal && !ptrace(PTRACE_SETSIGINFO, tracee.pid, NULL, &tracee.kept);

	if (tracee.pid && !ptrace(PTRACE_DETACH, tracee.pid, NULL, (void *)(long)(given ? signal : 0)) && signal && !given)
		kill(tracee.pid, signal);
	memset(&tracee, 0, sizeof(tracee));
}
