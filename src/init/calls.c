/*
 * Has a process that stands still do system calls: it gets the registers of each, is resumed, and stops after it. All signals
 * are held back meanwhile, and all is then as it was.
 *
 * Where SIGTRAP means nothing to it, it is stopped after a call by a single step, of which that signal tells: at its next
 * instruction. Else at the entry to the call and the exit from it, which takes twice as long: the kernel forces SIGTRAP upon
 * who blocks or ignores it, and it would not any more (kernel/signal.c, force_sig_info_to_task).
 */
#include "nsdir-init.h"
#include "facts.h"
#include "tracee.h"

#include <elf.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

#ifndef PTRACE_GETSIGMASK
#define PTRACE_GETSIGMASK 0x420a
#define PTRACE_SETSIGMASK 0x420b
#endif

/* How long its system calls may take, all together. Then those still to come are not done. */
#define CALLS_LIMIT_MS 3000
/* How long it is then waited for, to be let go as it was. After that it is left with the registers of its last call. */
#define LET_GO_LIMIT_MS 86400000

#define TRAP (1ULL << (SIGTRAP - 1))

/* The call that it makes; `begun` once it has entered the kernel for it, as far as that is heard of. */
static struct {
	char registers[REGISTERS_MAX];
	size_t size, place_word;
	int note;
	bool stepped, begun;
	bool halted; /* it is asked to stop before it does anything else */
} call;

static void set_mask(uint64_t bits)
{
	ptrace(PTRACE_SETSIGMASK, tracee.pid, sizeof(bits), &bits);
}

/* Whether the signal is neither blocked nor ignored nor pending. */
static bool is_trap_free(void)
{
#ifdef __x86_64__
	static const char *const sets[] = { "SigPnd", "ShdPnd", "SigBlk", "SigIgn" };
	uint64_t bits[4];

	if (!read_masks(tracee.pid, sets, bits, 4))
		return false;
	return ((bits[0] | bits[1] | bits[2] | bits[3]) & TRAP) == 0;
#else
	return false; /* not tried there */
#endif
}

static bool is_error(int64_t result)
{
	return result < 0 && result >= -4095;
}

static void put_back(void)
{
	set_registers(NT_PRSTATUS, tracee.registers, tracee.size);
	set_mask(tracee.mask);
}

static void set_call(void)
{
	int32_t none = -1;

	set_registers(NT_PRSTATUS, call.registers, call.size);
	if (call.note)
		set_registers(call.note, &none, sizeof(none));
}

/* Resumes it, and waits for the next entry to or exit from a system call. Stops by job control on the way cannot be held back:
 * they are passed. 0, EBUSY, ESRCH. */
static int to_call(void)
{
	int status = 0;

	tracee.takes_signal = false;
	do {
		if (ptrace(PTRACE_SYSCALL, tracee.pid, NULL, (void *)(long)(is_event(status) ? 0 : WSTOPSIG(status))))
			return ESRCH;
		status = next_status();
		if (status <= 0)
			return status == 0 ? EBUSY : ESRCH;
	} while (is_event(status) || WSTOPSIG(status) != (SIGTRAP | 0x80));
	return 0;
}

/* Whether a stop at SIGTRAP is that of a step. One that somebody sent is kept; two that nobody has taken are one (signal(7)). */
static bool is_step(void)
{
	siginfo_t info;

	if (ptrace(PTRACE_GETSIGINFO, tracee.pid, NULL, &info) || info.si_code > 0)
		return true;
	tracee.kept = info;
	return false;
}

/* Resumes it for one instruction, and waits for its end, likewise. */
static int to_next_instruction(void)
{
	int signal = 0;

	for (;;) {
		int status;

		if (ptrace(PTRACE_SINGLESTEP, tracee.pid, NULL, (void *)(long)signal))
			return ESRCH;
		status = next_status();
		if (status <= 0)
			return status == 0 ? EBUSY : ESRCH;
		tracee.takes_signal = !is_event(status);
		if (tracee.takes_signal && WSTOPSIG(status) == SIGTRAP && is_step())
			return 0;
		signal = is_event(status) || WSTOPSIG(status) == SIGTRAP ? 0 : WSTOPSIG(status);
	}
}

/* 0, with the registers after the call; EBUSY if it does not come out of it, ESRCH. */
static int make_call(char *after)
{
	size_t size = call.size;
	int error;

	set_call();
	call.begun = false;
	error = call.stepped ? to_next_instruction() : to_call();
	if (!error && !call.stepped) {
		call.begun = true;
		error = to_call();
	}
	return error ? error : get_registers(after, &size) ? ESRCH : 0;
}

static void set_word(size_t index, uint64_t value)
{
	if (sizeof(value) * (index + 1) <= call.size)
		memcpy(call.registers + sizeof(value) * index, &value, sizeof(value));
}

/* The registers of the step at `at`, which is moved behind it; false if there is none. */
static bool read_step(const struct program *program, const char **at, struct step *step)
{
	size_t left = program->length - (size_t)(*at - program->steps);

	if (left < sizeof(*step))
		return false;
	memcpy(step, *at, sizeof(*step));
	*at += sizeof(*step);
	if (step->words > WORDS_MAX || left - sizeof(*step) < step->words * sizeof(struct word))
		return false;
	memcpy(call.registers, tracee.registers, call.size);
	for (uint32_t count = 0; count < step->words; count++) {
		struct word word;

		memcpy(&word, *at, sizeof(word));
		*at += sizeof(word);
		set_word(word.index, word.value);
	}
	set_word(program->place_word, program->place);
	return true;
}

/* 0, or EBUSY or ESRCH for the step that it is lost in; `error` is that of the first call that failed. */
static int make_steps(const struct program *program, int64_t *results, int *error)
{
	const char *place = program->steps;
	char after[REGISTERS_MAX];

	for (size_t at = 0; at < program->count; at++)
		results[at] = -ECANCELED;
	for (size_t at = 0; at < program->count; at++) {
		struct step step;
		int lost;

		if (!read_step(program, &place, &step) || step.from >= (int32_t)at) {
			*error = *error ? *error : EINVAL;
			return 0;
		}
		if ((*error && !step.always) || (step.from >= 0 && is_error(results[step.from])))
			continue;
		if (step.from >= 0)
			set_word((size_t)step.word, (uint64_t)results[step.from]);
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

	if (program->size != tracee.size || 8 * (program->result_word + 1) > tracee.size)
		return EINVAL;
	call.size = program->size;
	call.place_word = program->place_word;
	call.note = program->call_note;
	call.stepped = is_trap_free();
	ptrace(PTRACE_GETSIGMASK, tracee.pid, sizeof(tracee.mask), &tracee.mask);
	set_mask(call.stepped ? ~TRAP : UINT64_MAX);
	begin_limit(CALLS_LIMIT_MS);
	lost = make_steps(program, results, &error);
	end_limit();
	if (lost)
		return lost == EBUSY ? ETIMEDOUT : lost;
	put_back();
	return error;
}

/* Whether it has not begun the call: what is next is the instruction that does. */
static bool is_before_call(void)
{
	char now[REGISTERS_MAX];
	size_t size = call.size, at = 8 * call.place_word;

	return !get_registers(now, &size) && memcmp(now + at, call.registers + at, 8) == 0;
}

/* Before anybody hears that it took too long, and lets it go on: a call that it has not begun by now, it makes not. One that is
 * not stepped stops again at its entry anyway. */
void halt(void)
{
	call.halted = call.stepped && ptrace(PTRACE_INTERRUPT, tracee.pid, NULL, NULL) == 0;
}

/* Until it stands still before its call, or has made it and is told of no step any more. False if that is not to be. */
static bool await_step_or_none(void)
{
	if (!call.halted)
		return false;
	for (;;) {
		int status = next_status();

		if (status <= 0)
			return false;
		tracee.takes_signal = !is_event(status);
		if (tracee.takes_signal && WSTOPSIG(status) == SIGTRAP && is_step())
			return true;
		if (tracee.takes_signal && WSTOPSIG(status) != SIGTRAP)
			ptrace(PTRACE_GETSIGINFO, tracee.pid, NULL, &tracee.kept);
		if (is_before_call())
			return true;
		if (ptrace(PTRACE_CONT, tracee.pid, NULL, NULL))
			return false;
	}
}

/* As far as it has come: one that was about to make a call makes none, as with the registers from before it none is asked for. */
static bool await_call_or_none(void)
{
	int error = 0, status = next_status();

	while (status > 0 && (is_event(status) || WSTOPSIG(status) != (SIGTRAP | 0x80))) {
		if (ptrace(PTRACE_SYSCALL, tracee.pid, NULL, (void *)(long)(is_event(status) ? 0 : WSTOPSIG(status))))
			return false;
		status = next_status();
	}
	if (status > 0 && !call.begun) {
		set_call();
		error = to_call();
	}
	return status > 0 && !error;
}

/* One that was in a call still: it is put back when it comes out, and let go. A call not begun yet is not made. */
_Noreturn void let_go_late(void)
{
	begin_limit(LET_GO_LIMIT_MS);
	if (call.stepped ? await_step_or_none() : await_call_or_none()) {
		put_back();
		let_go();
	}
	exit(0);
}
