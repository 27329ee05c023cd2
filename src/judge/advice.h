/* SPDX-License-Identifier: BSD-2-Clause */
/* What to change, for a verdict: a pure function of it and of the report. The words are show/advice.c's. */
#ifndef WHYSTALL_JUDGE_ADVICE_H
#define WHYSTALL_JUDGE_ADVICE_H

#include "judge/dataset.h"
#include "judge/judge.h"
#include "judge/what_if.h"
#include "model/report.h"

/* In brackets: what `figure` and `other_figure` are. Seconds, bytes and processors. */
enum advice_kind {
	/* By CLASS_CPU (processors busy, of all), or CLASS_STORAGE (mean read alone, beside others). */
	ADVICE_MORE_WORKERS,
	ADVICE_PARALLEL_READS,  /* the same of threads that read (mean read alone, beside others) */
	ADVICE_ADD_WORKERS,     /* it makes its batches itself (waited, steady) */
	ADVICE_PREFETCH,        /* make batches ahead (part of the overlap that is lost) */
	ADVICE_PROCESSES,       /* in place of threads, under an interpreter's lock */
	ADVICE_NO_LOCK,         /* workers wait for one another (% of the blame) */
	ADVICE_FEWER_WORKERS,   /* than processors (workers, processors) */
	ADVICE_MORE_PROCESSORS, /* others use them, or a limit holds the job back (busy, of all) */
	ADVICE_PERSISTENT_WORKERS, /* workers are started anew each epoch (ended) */
	ADVICE_RAISE_LIMIT,    /* of the control group: waits above the block layer (requests took,
	                         of waits) */
	ADVICE_PACK_FILES,     /* many small files (files, mean bytes of one; 0: not known) */
	ADVICE_READ_AHEAD,     /* small reads of few files (mean bytes of a request, files) */
	ADVICE_FASTER_STORAGE, /* (mean read alone, beside others; 0: not known) */
	ADVICE_CACHE,          /* keep the data in memory, or that it does not fit: see `dataset` */
	ADVICE_LESS_CPU,       /* cheaper preprocessing (busy, of all) */
	ADVICE_MOVE_CHECKPOINTS, /* asynchronously, or to faster storage (writing, steady) */
	ADVICE_CONNECTIONS, /* network: more requests at once, larger objects (% of the blame) */
	ADVICE_KINDS,
};

struct advice {
	enum advice_kind kind;
	enum verdict_class cause; /* the part of the blame that it is about */
	double figure, other_figure;
	double speedup;                /* of the what-if that it rests on; 0: not known */
	struct dataset_judged dataset; /* what is known of the trainer's data */
};

enum { ADVICE_MOST = 8 };

/*
 * Fill `list`, the most promising first; none where the trainer is not held up by its input, or that is not known. What
 * might be wrong is left out: more workers, say, where they would only queue up at the same place. Returns how many.
 */
size_t advice_find(struct advice list[ADVICE_MOST], const struct verdict *verdict,
		   const struct report *report);

/*
 * Set what each would bring, as far as that is told, and put the largest first; those of which it is not known stay in their
 * order, behind. What would bring less than 3 % is left out. Returns how many are left.
 */
size_t advice_rate(struct advice list[ADVICE_MOST], size_t count, const struct what_ifs *what_ifs);

#endif
