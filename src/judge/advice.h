/* SPDX-License-Identifier: BSD-2-Clause */
/* What to change, for a verdict: a pure function of it. The words are show/advice.c's. */
#ifndef WHYSTALL_JUDGE_ADVICE_H
#define WHYSTALL_JUDGE_ADVICE_H

#include "judge/judge.h"
#include "model/report.h"

enum advice_kind {
	ADVICE_MORE_WORKERS, /* PyTorch num_workers; tf.data num_parallel_calls; any: more of them */
	ADVICE_ADD_WORKERS,  /* num_workers=0 as it is now */
	ADVICE_PREFETCH,     /* batches ahead: prefetch_factor, Dataset.prefetch */
	ADVICE_PARALLEL_READS,     /* interleave, several files at once */
	ADVICE_PROCESSES,          /* in place of threads, under an interpreter's lock */
	ADVICE_FEWER_WORKERS,      /* than processors */
	ADVICE_PERSISTENT_WORKERS, /* workers are started anew each epoch */
	ADVICE_RAISE_LIMIT,        /* of the control group: waits above the block layer */
	ADVICE_PACK_FILES,         /* many small files: pack them into few large ones */
	ADVICE_READ_AHEAD,         /* small reads of large files, one after the other */
	ADVICE_CACHE,    /* the files fit into memory: cache them, or copy them to a faster disk */
	ADVICE_LESS_CPU, /* cheaper preprocessing: offline, on the accelerator, or cached */
	ADVICE_MOVE_CHECKPOINTS, /* asynchronously, or to a faster file system */
	ADVICE_CONNECTIONS,      /* network: more requests at once, larger objects */
	ADVICE_KINDS,
};

struct advice {
	enum advice_kind kind;
	double figure; /* what its "because" states; the meaning depends on the kind, see advice.c */
	double other_figure;
};

enum { ADVICE_MOST = 6 };

/* Fill `list`, the most promising first; none where the trainer is not held up by its input. Returns how many. */
size_t advice_find(struct advice list[ADVICE_MOST], const struct verdict *verdict,
		   const struct report *report);

#endif
