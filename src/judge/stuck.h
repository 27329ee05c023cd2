/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Is a silent job stuck, and on what? A pure function of what its threads wait for. A wait goes on for ever if all who could
 * end it wait for ever; the rules are those of docs/verdict.md.
 */
#ifndef WHYSTALL_JUDGE_STUCK_H
#define WHYSTALL_JUDGE_STUCK_H

#include "collect/waits.h"

/* What is at the end of the chain of waits. */
enum stuck_end {
	END_NOBODY, /* all wait for one another */
	END_CYCLE,  /* of locks, or threads that are joined, whose owners are known */
	END_OWNER_GONE,
	END_STOPPED,
	END_FILE,
	END_GONE, /* a process of the job has died */
};

enum { STUCK_MOST_WAITS = 64, STUCK_MOST = 16 };

struct stuck_wait {
	size_t thread;       /* index in waits */
	pid_t waits_for_tid; /* 0: not one thread alone, or not known */
};

struct stuck {
	pid_t pid; /* of the trainer, or what looks like one */
	enum stuck_end end;
	size_t end_thread; /* index; for END_GONE in waits->gone */
	size_t cycle;      /* so many of `waits`, from `cycle_first` on, are the cycle */
	size_t cycle_first;
	size_t way;                                /* so many lead from the trainer to the end */
	struct stuck_wait waits[STUCK_MOST_WAITS]; /* the trainer's first, then those it leads to */
	size_t wait_count;
};

struct stucks {
	struct stuck list[STUCK_MOST];
	size_t count;
};

/* All that is known of a silent job. */
struct stuck_finding {
	const struct waits *waits;
	uint64_t silent_ns;
	struct stucks stucks;
};

/* A trainer that is known, and the thread that runs its loop; 0: its first one. */
struct stuck_trainer {
	pid_t pid, tid;
};

/*
 * Look at these trainers; if none of them is stuck, or none is known, at the processes of the job that wait and whose parents
 * do not. `least_ns`: a read that takes no longer may yet come back. Returns 0 or -ENOMEM.
 */
int stuck_find(struct stucks *stucks, const struct waits *waits,
	       const struct stuck_trainer *trainers, size_t trainer_count, uint64_t least_ns);

#endif
