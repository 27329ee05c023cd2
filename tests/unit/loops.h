/* SPDX-License-Identifier: BSD-2-Clause */
/* Loops that a test builds up thread by thread. */
#ifndef WHYSTALL_TESTS_LOOPS_H
#define WHYSTALL_TESTS_LOOPS_H

#include "base/units.h"
#include "model/loop.h"

struct built {
	struct loop loop;
	struct loop_thread threads[16];
	struct loop_process processes[16];
	struct edge_report edges[32];
};

static inline uint64_t ns(double seconds)
{
	return (uint64_t)(seconds * NS_PER_S + 0.5);
}

static inline void begin_empty(struct built *b, double wall_s)
{
	*b = (struct built){ 0 };
	b->loop = (struct loop){ .wall_ns = ns(wall_s),
				 .threads = b->threads,
				 .processes = b->processes,
				 .edges = b->edges };
}

/* As long as nothing else is known, a process works for its parent. PIDs come in their order. */
static inline struct loop_process *add_process(struct built *b, pid_t pid, pid_t ppid)
{
	struct loop_process *p = &b->processes[b->loop.process_count++];

	*p = (struct loop_process){
		.pid = pid, .ppid = ppid, .trainer_pid = ppid ? ppid : pid, .clock_tid = pid
	};
	return p;
}

/* TIDs come in their order. */
static inline struct loop_thread *add_thread(struct built *b, pid_t tid, pid_t pid)
{
	struct loop_thread *t = &b->threads[b->loop.thread_count++];

	t->tid = tid;
	t->pid = pid;
	return t;
}

/* In all, and while the trainer waited. */
static inline void spend(struct loop_thread *t, unsigned int state, double all_s, double waiting_s)
{
	t->all.ns[state] += ns(all_s);
	t->waiting.ns[state] += ns(waiting_s);
}

static inline pid_t pid_of(const struct built *b, pid_t tid)
{
	for (size_t i = 0; i < b->loop.thread_count; i++)
		if (b->threads[i].tid == tid)
			return b->threads[i].pid;
	return 0;
}

/* Between threads that have been added; any other is of no process of the job. */
static inline struct edge_report *add_edge_of(struct built *b, enum edge_kind kind, pid_t wakee,
					      pid_t waker, double seconds)
{
	struct edge_report *edge = &b->edges[b->loop.edge_count++];

	*edge = (struct edge_report){ .wakee_tid = wakee,
				      .wakee_pid = pid_of(b, wakee),
				      .waker_tid = waker,
				      .waker_pid = pid_of(b, waker),
				      .waits = 100 };
	edge->ns[kind] = ns(seconds);
	return edge;
}

static inline struct edge_report *add_edge(struct built *b, pid_t wakee, pid_t waker,
					   double seconds)
{
	return add_edge_of(b, EDGE_IPC, wakee, waker, seconds);
}

#endif
