/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How much faster a loop would go if a cause were gone: a pure function of the verdict and of the report. The rules are those
 * of docs/verdict.md.
 */
#ifndef WHYSTALL_JUDGE_WHAT_IF_H
#define WHYSTALL_JUDGE_WHAT_IF_H

#include "judge/judge.h"
#include "model/report.h"

enum what_if_change {
	CHANGE_STORAGE,  /* no waits for storage, and no limit of it */
	CHANGE_CPU,      /* producers compute nothing */
	CHANGE_RUNQUEUE, /* no waits for a processor */
	CHANGE_LOCK,     /* producers do not wait for one another */
	CHANGE_NETWORK,
	CHANGE_CHECKPOINT, /* the loop writes nothing */
	CHANGE_WORKERS_X2,
	CHANGE_PREFETCH, /* trainer and producers work at the same time */
	CHANGES,
};

/* What would bring less is no gain. */
#define WHAT_IF_LEAST_GAIN 1.03

/* What it would wait for then. */
enum what_if_bound {
	BOUND_TRAINER,   /* its own step */
	BOUND_PRODUCERS, /* what they do beside storage, one interpreter's lock included */
	BOUND_CPUS,
	BOUND_DEVICE, /* what they wait for storage */
	BOUND_LIMIT,  /* of a control group */
	BOUNDS,
};

/* Why a change is not told. */
enum what_if_untold {
	UNTOLD_CLASS,   /* the verdict does not tell what it waits for, or how long */
	UNTOLD_OUTSIDE, /* it waits for processes outside the job */
	UNTOLD_CHECK,   /* what is told of the two sides does not fit how long the loop took */
	UNTOLD_NOTHING, /* there is nothing of the kind to remove */
	UNTOLD_OWN,     /* it makes its data itself */
	UNTOLD_SERVING, /* whether the storage serves more at the same time was not seen, or it does not */
	UNTOLD_SERVER, /* the same of a server */
	UNTOLD_LOCKED, /* producers wait for one another */
	UNTOLD_QUEUED, /* workers wait for processors already */
	UNTOLD_POOL,   /* how many of a pool's threads are in use is not known */
	UNTOLD_NOBODY, /* no workers are seen */
	UNTOLD_BPF,    /* without BPF who waits for whom is only presumed */
	UNTOLD_REASONS,
};

struct what_if {
	enum what_if_change change;
	double speedup; /* 1: no gain */
	bool at_least;  /* it may be more */
	enum what_if_bound bound;
};

struct what_ifs {
	struct what_if list[CHANGES]; /* the most promising first */
	size_t count;
	bool told[CHANGES];
	enum what_if_untold untold[CHANGES]; /* of the others: why */
	double cpus;                         /* that the trainer may use */
	double limit_bytes_s; /* of the device that takes longest under its limit; 0: none */
};

void what_if_find(struct what_ifs *what_ifs, const struct verdict *verdict,
		  const struct report *report);

/* What is removed; all 0: nothing. Parts are from 0 to 1. */
struct removal {
	double locks, checkpoints, turns, more_workers;
	double part[BLAME_CLASSES]; /* of producers' time in a class */
};

/* The model itself, whether it can be told or not: what the loop took, of what it would take. */
double what_if_speedup(const struct verdict *verdict, const struct report *report,
		       const struct removal *removed);

/* The one that tells about this change; NULL: not told. */
const struct what_if *what_if_of(const struct what_ifs *what_ifs, enum what_if_change change);

#endif
