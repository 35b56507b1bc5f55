/* A process of somebody else that is traced, one at a time (tracee.c), and its system calls (calls.c). */
#ifndef TRACEE_H
#define TRACEE_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define REGISTERS_MAX 512
#define STEPS_MAX 8
/* Words of the general registers that a call sets. */
#define WORDS_MAX 16

struct word {
	uint64_t index, value;
};

/* One system call, with the `words` behind it that its registers differ in. */
struct step {
	int32_t word, from; /* this word gets the result of step `from`; -1: none */
	uint32_t always;    /* also after one before it failed, if the one it takes a result from did not */
	uint32_t words;
};

/* What is to be done: `count` steps, one after another, with `size` bytes of general registers. */
struct program {
	const char *steps;
	size_t length, count, size;
	size_t result_word; /* where a call's result is, in 64-bit words */
	size_t place_word;  /* and where they say which instruction is next */
	uint64_t place;     /* of the instruction that enters the kernel */
	int call_note;      /* a further register set that takes a -1 before each call, 0 for none */
};

/* As it was before its first call, and how it stands now. */
struct tracee {
	pid_t pid; /* 0: there is none */
	char registers[REGISTERS_MAX];
	size_t size;
	uint64_t mask;
	siginfo_t kept;     /* a signal that came meanwhile, and is given to it in the end; no number: none */
	bool takes_signal;  /* its last stop is one before a signal is delivered */
};
extern struct tracee tracee;

/* tracee.c */
void prepare_tracer(void);
bool is_traced(void);
int seize_tracee(pid_t pid);
int await_stop(char *registers, size_t *size);
uint64_t instruction_at(uint64_t address);
void set_tracee_registers(const char *registers, size_t size);
void let_go(void);
long get_registers(void *data, size_t *size);
void set_registers(int note, const void *data, size_t size);
void begin_limit(int64_t ms);
void end_limit(void);
int next_status(void);
bool is_event(int status);

/* calls.c; EINVAL for what is no program. */
int run_program(const struct program *program, int64_t *results);
void halt(void);
_Noreturn void let_go_late(void);

#endif
