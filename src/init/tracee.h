/* A process of somebody else that is traced, one at a time (tracee.c). */
#ifndef TRACEE_H
#define TRACEE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define REGISTERS_MAX 512
#define STEPS_MAX 8

/* One system call, with its registers behind it. */
struct step {
	int32_t word, from; /* this word gets the result of step `from`; -1: none */
	uint32_t always;    /* also after one before it failed, if the one it takes a result from did not */
	uint32_t unused;
};

/* What is to be done: `count` steps with `size` bytes of registers each, one after another. */
struct program {
	const char *steps;
	size_t count, size;
	size_t result_word; /* where a call's result is, in 64-bit words */
	int call_note;      /* a further register set that takes a -1 before each call, 0 for none */
};

void prepare_tracer(void);
bool is_traced(void);
int seize_tracee(pid_t pid);
int await_stop(char *registers, size_t *size);
uint64_t instruction_before(const char *next, uint32_t bytes);
int run_program(const struct program *program, int64_t *results);
void set_tracee_registers(const char *registers, size_t size);
void let_go(void);
_Noreturn void let_go_late(void);

#endif
