/* SPDX-License-Identifier: BSD-2-Clause */
/* At the end of a run: how large the data is of those trainers that wait for storage. */
#ifndef WHYSTALL_COMMANDS_DATASETS_H
#define WHYSTALL_COMMANDS_DATASETS_H

#include "collect/dataset.h"
#include "judge/judge.h"
#include "model/report.h"

enum { MOST_DATASETS = 16 };

/* Begins as all 0; holds no memory. */
struct datasets {
	struct apart apart;
	struct dataset list[MOST_DATASETS];
	size_t count;
};

/*
 * Find and count them, in 3 s at most for all of them together; the report refers to them afterwards. Returns 0 or -ENOMEM.
 */
int datasets_count(struct datasets *datasets, const struct verdicts *verdicts,
		   struct report *report);

#endif
