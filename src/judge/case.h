/* SPDX-License-Identifier: BSD-2-Clause */
/* Who works for one trainer, in one stretch of time: what the rules of blame.c and judge.c are about. */
#ifndef WHYSTALL_JUDGE_CASE_H
#define WHYSTALL_JUDGE_CASE_H

#include <stdbool.h>

#include "model/loop.h"

/* Limits that several rules share. */
#define LEAST_BUSY 0.05 /* of the steady part, for a thread that does anything */
enum {
	RECURRING_WAITS = 2,
	TIED_WAITS =
		4, /* of two processes: a parent waits for its child's start, and for its end */
};

/* Edges by the thread at one end: those of thread i are list[first[i]] to list[first[i + 1] - 1]. */
struct links {
	size_t *first;
	size_t *list;
};

/* The two ends of each edge: the thread's index, -1 where it is not of the job; and the edges by these. */
struct ends {
	ssize_t *wakee, *waker;
	struct links by_wakee, by_waker;
};

/* Their memory is of `scratch`. Returns 0 or -ENOMEM. */
int ends_find(struct ends *ends, struct scratch *scratch, const struct loop *loop);

/* What a thread does for the trainer. */
enum part {
	PART_NONE,
	PART_OUTSIDE, /* makes input in another process, or waits for one that does */
	PART_INSIDE, /* makes input in the trainer's own process: it reads, or works inside an input marker */
	PART_STEP, /* takes part in the step: each time the trainer waits for it, it waits for the trainer */
	PART_TAKES,   /* of a process that takes what the trainer makes */
	PART_UNCLEAR, /* ends waits of the trainer, for whatever */
};

struct case_file {
	const struct loop *loop;
	const struct loop_process *process; /* the trainer's; NULL if it is not in it */
	const struct loop_thread *thread;   /* that runs its loop; NULL likewise */
	double wall_s;
	double clock_s; /* of its waiting clock */
	struct ends ends;
	bool *reached; /* by index of loop->threads: the trainer's waits lead to it, or it is woken by it */
	enum part *part; /* likewise */
	bool *peer;      /* by index of loop->processes: it has workers of its own */
	bool *takes;     /* likewise: what it gets it keeps */
	bool *seen;      /* like `reached`, for one walk at a time */
	size_t *todo;    /* room for as many threads */
};

/* Who works for the process `trainer`, whose thread `tid` runs the loop. Its memory is of `scratch`. Returns 0 or -ENOMEM. */
int case_open(struct case_file *c, struct scratch *scratch, const struct loop *loop, pid_t trainer,
	      pid_t tid);

/* Does this thread make input? */
bool case_is_input(const struct case_file *c, size_t thread);

/* Is it the first thread of a process that works for the trainer and could make input, though nothing shows it? */
bool case_is_sibling(const struct case_file *c, size_t thread);

/* How long the trainer waited for what threads of this part ended. */
double case_waited_s(const struct case_file *c, enum part part);

/* Seconds of a loop, and of a thread. */
double wall_s(const struct loop *loop);
double class_s(const struct ledger *ledger, unsigned int class);
double storage_s(const struct ledger *ledger);
double reading_s(const struct ledger *ledger); /* storage but writes, and network */
double
writing_s(const struct ledger *ledger); /* with opening files, if it writes more than it reads */
double fetching_s(const struct ledger *ledger); /* the same with reading */
double own_s(const struct ledger *ledger);      /* all but waits for other threads */

/* A thread's own time: not that in which it waits for another one. */
bool class_is_own(unsigned int class);

double edge_s(const struct edge_report *edge);

/* Was it a thread of a process outside the job that ended these waits? */
bool edge_is_external(const struct edge_report *edge);

/* Is it more than a coincidence? */
bool edge_counts(const struct edge_report *edge, double wall_s);

#endif
