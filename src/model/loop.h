/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a job's threads did in one stretch of time, and who waited for whom: all that the judge looks at. Stretches of the
 * same run can be added up. Nanoseconds; source: the ledger (bpf/ledger.bpf.c), the waiting clocks and the edges.
 */
#ifndef WHYSTALL_MODEL_LOOP_H
#define WHYSTALL_MODEL_LOOP_H

#include "base/scratch.h"
#include "model/ledger.h"
#include "model/report.h"

struct loop_thread {
	pid_t tid, pid;
	uint64_t start_ns; /* of its ledger: tells threads with the same ID apart */
	bool ended;
	unsigned int stretches; /* in which it lived */
	unsigned int ran;       /* of them, in which it ran for more than a trace */
	uint32_t socket;        /* inode of the INET socket that it waited for last; 0: for none */
	uint32_t peer_port;     /* of its other end, if that is on this host */
	struct ledger all;
	struct ledger waiting; /* the part in which its trainer's waiting clock ran */
};

struct loop_process {
	pid_t pid;
	uint32_t owner;         /* of the last sample */
	pid_t ppid;             /* when it was first seen */
	uint64_t start_boot_ns; /* tells it from an earlier one with its PID */
	pid_t trainer_pid; /* as far as is known: itself once it has forked, else its parent; 0: not known */
	uint64_t clock_ns; /* its own waiting clock: this thread of it waited */
	pid_t clock_tid;
	bool marked; /* the clock follows its input markers: any of its threads was inside one */
	unsigned int frameworks; /* enum framework, a bit each */
};

/* Threads are in the order of their IDs, processes of theirs, edges of their pairs; each is there once. */
struct loop {
	uint64_t wall_ns;
	uint64_t looks;    /* at all threads, where these tell what they did; 0: BPF counted it */
	uint64_t ended_ns; /* of threads that ended, of which no row is left */
	uint64_t left_out_cpu_ns; /* of threads that a part of a loop does not have */
	struct loop_thread *threads;
	size_t thread_count, thread_capacity;
	struct loop_process *processes;
	size_t process_count, process_capacity;
	struct edge_report *edges;
	size_t edge_count, edge_capacity;
};

/* The time between two samples, of `scratch`. Returns 0 or -ENOMEM. */
int loop_build(struct loop *loop, struct scratch *scratch, const struct sample *from,
	       const struct sample *to);

/*
 * Add one stretch to another, which begins as { 0 } and has its own memory: more only where something is new in it. Returns 0
 * or -ENOMEM; free the sum with loop_free() in either case.
 */
int loop_add(struct loop *sum, const struct loop *part);

/* Forget threads and processes that `last`, the end of it, does not have, and edges to and from them. */
void loop_forget(struct loop *loop, const struct loop *last);

/* The index of a thread, the earliest one with this ID; -1 if it is not in it. */
ssize_t loop_find_thread(const struct loop *loop, pid_t tid);

/* NULL if it is not in it. */
const struct loop_process *loop_find_process(const struct loop *loop, pid_t pid);

void loop_free(struct loop *loop);

/*
 * A run as a list of stretches of equal length, in their order. There are at most MAX_STRETCHES, and of a job with many
 * threads fewer, but no less than half of ENOUGH_STRETCHES: when a run goes on for longer they become longer.
 */
enum {
	MAX_STRETCHES = 600,
	ENOUGH_STRETCHES = 120,
	MAX_STRETCH_BYTES = 5 << 20, /* all of them together */
};

struct stretches {
	struct loop *list; /* behind `count`: empty ones, whose memory is used again */
	size_t count;
	size_t added;  /* samples in the last one that is not complete */
	size_t length; /* samples that make one; 0 is 1 */
};

/* Add the next piece of time to the end. Returns 0 or -ENOMEM. */
int stretches_add(struct stretches *stretches, const struct loop *next);

void stretches_free(struct stretches *stretches);

#endif
