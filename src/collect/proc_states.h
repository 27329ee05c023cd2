/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Looks at what threads do right now, through /proc/PID/task/TID/syscall, wchan and stat and /proc/PID/fd. One look at
 * all threads of a job costs about a microsecond and a half for each: what was found for a system call holds for a second
 * while the thread is still in it. Nothing is opened that the process has open: that could wait for ever.
 */
#ifndef WHYSTALL_COLLECT_PROC_STATES_H
#define WHYSTALL_COLLECT_PROC_STATES_H

#include <linux/types.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "abi.h"
#include "collect/proc_parse.h"

/* The UNIX sockets of the host, that the others of the network are told from. `root` is put in front of /proc, and must live. */
struct proc_sockets;

struct proc_sockets *proc_sockets_new(const char *root); /* NULL when out of memory */
void proc_sockets_free(struct proc_sockets *sockets);

/* Of a process. */
struct proc_fds {
	pid_t pid;
	int directory;      /* its fd/, -1: not open */
	uint64_t held_ns;   /* when `holds` was found out */
	unsigned int holds; /* what it has open, only where system calls may not be read */
};

/* Of a thread. All zero but `call_fd`, which is -1, to begin with: proc_look_init(). */
struct proc_look {
	int call_fd;  /* its syscall file; -1: not open */
	bool no_call; /* which may not be read */
	struct proc_syscall call;
	uint64_t call_ns;                  /* when it was looked at in full; 0: never */
	bool checked;                      /* that it is not stopped in there */
	uint32_t calm;                     /* looks in a row at the same call */
	uint32_t skipped, skipped_waiting; /* looks that it was spared since the last one */
	enum ledger_state state;
	enum ledger_state slept; /* the last sleep that was seen */
	uint32_t looks
		[LEDGER_STATES]; /* since they were shared out. LEDGER_CPU: it ran or was about to */
	uint32_t waiting[LEDGER_STATES]; /* of these, while its trainer waited */
};

void proc_fds_init(struct proc_fds *files, pid_t pid);
void proc_fds_close(struct proc_fds *files);
void proc_look_init(struct proc_look *look);
void proc_look_close(struct proc_look *look);

/*
 * What does the thread do? LEDGER_CPU: it runs or waits for a processor; else what it waits for. Returns 0 with look->state set, -ESRCH when it is gone.
 */
int proc_look_now(struct proc_look *look, struct proc_fds *files, struct proc_sockets *sockets,
		  pid_t tid, uint64_t now_ns);

/* Does a thread in this state let its process's waiting clock run? That of BPF, see clock_in_state(). */
bool proc_state_waits(enum ledger_state state);

/*
 * Is it time to look at the thread? One that was in the same call again and again is spared up to nine looks in ten; the next one
 * then counts for these too, so that no state is seen more often than it should be.
 */
bool proc_look_is_due(const struct proc_look *look);

/* Count what was just found, or the look that was spared; `waits`: its trainer waited. */
void proc_look_count(struct proc_look *look, bool waits);
void proc_look_spare(struct proc_look *look, bool waits);

/* Has it been seen since its looks were shared out last? */
bool proc_look_has_any(const struct proc_look *look);

/* Times of a thread since its looks were shared out last. */
struct proc_times {
	uint64_t cpu_ns, runqueue_ns; /* as the kernel counts them */
	uint64_t asleep_ns;           /* the rest of the time */
	uint64_t clock_ns;            /* of its trainer's waiting clock */
};

/*
 * How long its process's waiting clock ran, where this thread is the one that it follows: the part of its sleep in which it was
 * seen to wait.
 */
uint64_t proc_look_clock_ns(const struct proc_look *look, const struct proc_times *times);

/*
 * Share its sleep out over the states of `thread`, by the looks, and on the waiting clock all that it was seen to do then. Running and
 * queueing are in thread->ns already. Then the looks are forgotten.
 */
void proc_look_share(struct proc_look *look, const struct proc_times *times, struct thread *thread);

#endif
