/*
 * nsdir-init: one static binary, seven roles.
 *
 *   launcher  a process that outlives the daemon: parent of every container's init, keeps their exit statuses
 *   init      what the launcher's child becomes: first process of a container; reaps, spawns commands on request
 *   run       the client of an init: runs one command with the caller's stdio, signals and exit status
 *   enter     enters a container from outside, and runs one command there, on a terminal of its own
 *   tracer    makes processes of others do system calls, as the daemon says
 *   machine   runs a command as process 1's child in user, mount and pid namespaces of its own
 *   private   runs criu in a mount namespace of its own
 */
#ifndef NSDIR_INIT_H
#define NSDIR_INIT_H

#define _GNU_SOURCE
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <signal.h>
#include <sys/types.h>

/*
 * Number of the protocol between daemon and launcher: 2 has `restore` as it is now, and `bundle`; 3 has `start-user`. A
 * daemon knows older ones.
 */
#define PROTOCOL "3"

/* Longest payload of a frame, in bytes. */
#define FRAME_MAX (256 * 1024)
/* Longest request to an init, in bytes: what fits a datagram with the usual net.core.wmem_default. */
#define REQUEST_MAX (200 * 1000)
/* Strings of one frame. */
#define STRINGS_MAX 20
/* Soft limit of open files in a container, as service managers set it; select(2) cannot do with more. */
#define OPEN_FILES 1024

/* Kinds that older headers lack (linux/sched.h). */
#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x00000080
#endif
#ifndef CLONE_NEWCGROUP
#define CLONE_NEWCGROUP 0x02000000
#endif

/* Whose the processes of a container are that are not to be root's. */
struct owner {
	uid_t uid;
	gid_t gid;
	const char *uid_map, *gid_map; /* of its user namespace (user_namespaces(7)); empty: it has its parent's, where `uid` is 0 */
	uint64_t processes;            /* RLIMIT_NPROC */
};

struct mount_table;

/* A container to be started, as the daemon asks for it. Strings live in the launcher's receive buffer. */
struct spec {
	const char *cgroup;      /* its cgroup v2 directory; empty: it gets none */
	uint64_t flags;          /* CLONE_NEW* of the namespaces of its own */
	const char *hostname;    /* its name */
	pid_t parent;            /* init of the container it starts in, or 0 */
	uint64_t parent_start;   /* start time of `parent` in clock ticks, 0 if not known */
	const char *mount_point; /* where the daemon's tree is mounted, absolute */
	const char *path;        /* its directory below that, as `parent` sees it */
	uint64_t inode;          /* inode number of that directory; 0: it is not to be mounted */
	const char *socket;      /* where its init takes requests */
	const struct owner *owner; /* NULL: root */
};

/* Descriptors that an init under construction has, or -1. */
struct inherited {
	int channel;           /* to the launcher */
	int cgroup;            /* to be joined */
	int parent;            /* pidfd of the init whose cgroup namespace it enters */
	int commands, program; /* with an owner: its socket, and what it is to be executed from */
};

/*
 * What an init under construction tells the launcher: one packet each. REPORT_EXECUTES says that nothing is left to be done
 * but to execute its program: an error follows, or the end of the channel, which is closed by that.
 */
struct report {
	int error; /* an errno, or one of REPORT_* */
	char step[60];
};
#define REPORT_READY 0
#define REPORT_HELLO (-1)
#define REPORT_EXECUTES (-2)

/* wire.c */
int split_strings(char *data, size_t length, char **strings, int max);
bool parse_number(const char *text, uint64_t max, uint64_t *number);
bool write_fully(int fd, const char *data, size_t length);

/* process.c */
/* Fields of /proc/PID/stat between the command's name and the start time (proc_pid_stat(5), fields 3 to 21). */
#define FIELDS_BEFORE_START 20
uint64_t start_time_of(pid_t pid);
int64_t now_ms(void);
bool is_child(pid_t pid, bool *ended);
void close_all_but(const int *kept, int count);
void fill_signals(sigset_t *set);
const char *listen_for_commands(const char *path, int *fd);
/* execvp(3), with sh for a script without #! in every C library. Returns with errno if it fails. */
void execute_command(char **argv);
/* The program and its arguments in `lines`, a word a line, with nothing but a PATH. Returns with errno if it fails. */
void execute_lines(const char *lines);
void reset_signals(void);
void limit_open_files(void);
int limit_as_user(void);
void remember_title(int argc, char **argv);
void set_title(const char *name);

/* start.c */
int begin_start(const struct spec *spec, pid_t *pid, pid_t *helper, int *channel, const char **step);

/* init.c */
bool has_other_cgroups(pid_t pid);

/* usernamespace.c */
int number_in(int proc, pid_t pid);
int map_ids(int proc, pid_t pid, const char *file);
int map_ids_of_user(pid_t pid);

/* owner.c */
const char *prepare_owner(const struct spec *spec, int *commands, int *program);
const char *become_owner(const struct spec *spec);
int map_owner(const struct owner *owner, int proc, int number);
const char *settle_owner(void);
void remember_user_namespace(void);

/* own-directory.c */
int open_own_directory(const struct spec *spec);
int bind_own_directory(int own, const char *target);
void make_path(const char *path, bool with_last);

/* mounts.c */
void watch_mounts(void);
void refresh_mounts(void);
const struct mount_table *table_for(const struct spec *spec);
const char *own_mount_tree(const struct spec *spec);

/* lookup.c */
/*
 * 0, or ENOENT or EACCES if execvp(3) of `name` would fail so in a container with this root directory, for a process whose
 * working directory is `cwd` if that is there.
 */
int lookup_in(const char *root, const char *cwd, const char *name);

/* program.c */
bool program_beside(const struct spec *spec, char path[PATH_MAX]);
const char *place_program(const struct spec *spec);
const char *commands_socket(const struct spec *spec);
void become_program(const struct spec *spec, int commands);
int become_program_of(const struct spec *spec, int commands, int channel, int program);
bool is_program(int argc, char **argv);
_Noreturn void program_main(void);

/* The roles. */
int launcher_main(const char *socket_path, const char *pid_path);
_Noreturn void init_main(const struct spec *spec, const struct inherited *inherited);
_Noreturn void serve_commands(int socket);
int run_main(int argc, char **argv);
int enter_main(int argc, char **argv);
int tracer_main(void);
int ended_main(const char *directory);
int events_main(const char *path);
int machine_main(char **command);

#endif
