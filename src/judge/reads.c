// SPDX-License-Identifier: BSD-2-Clause
#include "judge/reads.h"

#include <string.h>

#include "judge/where.h"

static const double most_growth = 1.15; /* of reads beside others */
static const double least_class = 0.03; /* of the reads, for a mean to count */
static const uint64_t fewest_reads = 5;

static bool has_reads(const struct concurrency_report *c, int beside, uint64_t all)
{
	return c->count[beside] >= fewest_reads &&
	       (double)c->count[beside] >= least_class * (double)all;
}

/* How long reads took alone, and beside the most others; false where one of them was hardly seen. */
static bool compare(struct reads *reads, const struct concurrency_report *c)
{
	uint64_t all = 0;
	int last = 0;

	for (int k = 0; k < CONCURRENCY_CLASSES; k++)
		all += c->count[k];
	for (int k = 1; k < CONCURRENCY_CLASSES; k++)
		if (has_reads(c, k, all))
			last = k;
	if (!last || !has_reads(c, 0, all))
		return false;
	reads->alone_s = c->mean_s[0];
	reads->beside_s = c->mean_s[last];
	return true;
}

bool reads_compare(struct reads *reads, const struct verdict *verdict, const struct report *report)
{
	struct where where[WHERE_MOST];
	size_t count = where_find(where, verdict, report);

	for (int device = 0; device < 2; device++)
		for (size_t i = 0; i < count; i++) {
			if (where[i].kind != (device ? WHERE_DEVICE : WHERE_MOUNT))
				continue;
			for (size_t k = 0; k < report->concurrency_count; k++) {
				const struct concurrency_report *c = &report->concurrency[k];

				if (c->device == device && strcmp(c->name, where[i].name) == 0)
					return compare(reads, c);
			}
			break;
		}
	return false;
}

bool reads_serve_more(const struct reads *reads)
{
	return reads->beside_s <= most_growth * reads->alone_s;
}
