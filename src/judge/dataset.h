/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Would a trainer's data fit into memory, and what would that bring? Pure functions of the verdict and of the report. The
 * rules are those of docs/verdict.md.
 */
#ifndef WHYSTALL_JUDGE_DATASET_H
#define WHYSTALL_JUDGE_DATASET_H

#include "judge/judge.h"
#include "model/report.h"

/* Does it wait for storage, so that it matters how large its data is? */
bool dataset_matters(const struct verdict *verdict);

/*
 * Where a trainer's data is: the deepest folder with 80 % of the waits for reads, or a file. `files`: those of it that were read,
 * each once, whose paths are the report's; free() them. Returns 1, 0 where there is no such place, or -ENOMEM.
 */
int dataset_find(struct dataset_place *place, struct dataset_file **files, size_t *count,
		 const struct verdict *verdict, const struct report *report);

/* Is the path below the place, and one of its files by its ending? */
bool dataset_has(const struct dataset_place *place, const char *path);

/* What becomes of the pages that were read. */
enum dataset_cache {
	CACHE_UNKNOWN, /* not seen */
	CACHE_FILLING, /* all of the trainer's run is seen, and nothing was read for the second time */
	CACHE_DROPPED,  /* files were read again */
	CACHE_BYPASSED, /* direct I/O */
	CACHE_STATES,
};

struct dataset_judged {
	const struct dataset *dataset;    /* NULL: none is known */
	const struct memory_room *memory; /* NULL: not known */
	bool fits_known, fits;
	bool fits_host;     /* it would, were it not for the limit of the control group */
	bool read_known;    /* how much of it was read from storage */
	double epochs_seen; /* how often it was read from storage, in the window; 0: not known */
	enum dataset_cache cache;
};

void dataset_judge(struct dataset_judged *judged, const struct verdict *verdict,
		   const struct report *report);

/*
 * After how many epochs it has paid to have it in memory: 1 where the page cache keeps what the first one reads. Else it is
 * copied once, which takes no longer than an epoch does now, and each epoch after that takes 1 - 1/speedup less. 0: not known.
 */
double dataset_epochs_to_pay(const struct dataset_judged *judged, double speedup);

#endif
