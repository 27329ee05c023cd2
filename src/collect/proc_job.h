/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The processes and threads of the job as /proc shows them, looked for again and again: what they have used is kept beyond their
 * end. A process is known by its PID and when it started. Places in the tables are the indexes of samples: each is one
 * process's, or thread's, for as long as a sample may still be compared with one that has it.
 *
 * Nothing tells of a process that begins and ends between two rounds: what it did is its parent's, once that has waited for it.
 */
#ifndef WHYSTALL_COLLECT_PROC_JOB_H
#define WHYSTALL_COLLECT_PROC_JOB_H

#include <stdbool.h>

#include "base/fault.h"
#include "base/scratch.h"
#include "collect/proc_ids.h"
#include "collect/proc_parse.h"
#include "collect/sample.h"
#include "collect/target.h"

/* PROC_ZOMBIE: it has ended, its counters are final, and its parent has not waited for it yet. */
enum proc_life { PROC_ALIVE, PROC_ZOMBIE, PROC_GONE };

struct proc_process {
	struct owner owner; /* kind OWNER_FREE: the place is free */
	char cgroup[CGROUP_LEN];
	enum proc_life life;
	uint64_t start_ticks;
	bool from_start;  /* of the job since it started: its counters count from 0 */
	bool shown;       /* a sample has shown its end */
	unsigned int age; /* rounds since it was met */
	uint32_t
		parent; /* place of the process that waits for it when it ends; 0: not of the job */
	unsigned int depth;    /* above that of its parent */
	uint64_t thread_count; /* as the kernel says */

	/* Descriptors that are kept open; -1: to be opened each time. */
	int folder_fd, stat_fd, io_fd, task_fd;

	bool io_known, io_denied;
	bool parted;       /* has given its counters to its parent, or has none */
	struct proc_io io; /* as the kernel has it: with that of all children it has waited for */
	struct proc_io before;            /* at the round before */
	struct proc_io base;              /* when it joined the job */
	struct proc_io children;          /* of `io`, what is counted for children in the job */
	uint64_t read_bytes, write_bytes; /* its own, in the job */

	uint32_t *threads; /* places of those that live, by TID */
	size_t threads_listed, threads_capacity;
};

struct proc_thread {
	struct thread ledger; /* life THREAD_FREE: the place is free */
	int schedstat_fd;
	uint64_t cpu_ns, runqueue_ns; /* as the kernel has them */
	uint64_t read_ns;             /* CLOCK_MONOTONIC, when they were read last */
	unsigned int age;             /* rounds since it was met */
	bool shown;                   /* a sample has shown its end */
};

/* A PID of the host. */
struct proc_known {
	pid_t pid;
	uint64_t start_ticks;
	uint32_t member; /* its place among the processes; 0: not of the job */
	unsigned int age;
};

struct proc_job {
	const struct target *target;
	const char *root;  /* "" on a live system; what /proc and cgroups are below */
	bool with_threads; /* else processes alone */
	int proc_fd;       /* ROOT/proc */
	uint64_t opened_boot_ns, now_boot_ns;
	uint64_t rounds;
	size_t kept, keep_max; /* descriptors */

	struct proc_process *processes; /* from 0: OWNER_FIRST is the first */
	size_t process_count, process_capacity;
	size_t free_processes; /* places among them */
	struct proc_thread *threads;
	size_t thread_count, thread_capacity;
	size_t free_threads; /* places among them */

	struct proc_known *known; /* by PID */
	size_t known_count, known_capacity;
	struct proc_ids ids, cgroup_ids; /* of this round */
	struct scratch scratch;          /* likewise */

	bool found;         /* a process that outlived a round, ever */
	uint64_t gone;      /* processes that have ended and were waited for */
	uint64_t vanished;  /* processes that were gone before their last counters were read */
	uint64_t denied;    /* processes whose bytes may not be read */
	uint64_t malformed; /* files that could not be understood */
};

struct proc_job_options {
	const struct target *target; /* is kept */
	const char *root;            /* is kept */
	bool with_threads;
};

/* Begin with an empty table. Returns 0 or a negative errno with `fault` set; proc_job_close() in each case. */
int proc_job_open(struct proc_job *job, const struct proc_job_options *options, uint64_t boot_ns,
		  struct fault *fault);

/*
 * One round: who belongs to the job now, who has ended, and what all have used. The times are now, by CLOCK_MONOTONIC and
 * CLOCK_BOOTTIME. Returns 0 or a negative errno.
 */
int proc_job_refresh(struct proc_job *job, uint64_t mono_ns, uint64_t boot_ns, struct fault *fault);

/* Between rounds: read the words of those that may just have called exec. */
void proc_job_look_at_young(struct proc_job *job);

/* For its parts: does the kernel still know the process? And: it does not. */
bool proc_job_is_there(struct proc_job *job, struct proc_process *process);
void proc_job_end(struct proc_job *job, struct proc_process *process);

/* Is any process alive? Asks the kernel. */
bool proc_job_alive(struct proc_job *job);

/* For how long a thread was neither running nor waiting for a processor, and no state has that time yet. */
uint64_t proc_thread_due_ns(const struct proc_thread *thread);

/* Append owners and threads to an empty sample. Returns 0 or -ENOMEM. */
int proc_job_copy(struct proc_job *job, struct sample *sample);

/* Append the bytes of all that have moved any. Returns 0 or -ENOMEM. */
int proc_job_copy_bytes(const struct proc_job *job, struct sample *sample);

/* As bpf_source_assign(). */
void proc_job_assign(struct proc_job *job, uint32_t owner, uint64_t start_boot_ns, uint32_t trainer,
		     pid_t clock_tid);

void proc_job_close(struct proc_job *job);

#endif
