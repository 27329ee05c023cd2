/* SPDX-License-Identifier: BSD-2-Clause */
/* What the kernel's own statistics of a disk or partition say about the time between two samples. */
#ifndef WHYSTALL_MODEL_DISKS_H
#define WHYSTALL_MODEL_DISKS_H

#include "model/io.h"

struct disk_delta {
	uint64_t requests; /* completed, of all operations */
	uint64_t reads, read_bytes;
	uint64_t writes, write_bytes;
	uint64_t read_ms, write_ms; /* of these together */
	bool times_known;
};

/*
 * `now` - `then`; `then` NULL means zero. A disk of which any counter went back is another one at the same place: what it
 * counts now is what came since. Of times, which wrap at 2^32 ms, more than half of that is no time of an interval: not known.
 */
void disk_subtract(struct disk_delta *delta, const struct disk_sample *now,
		   const struct disk_sample *then);

/* Times of the sum are known if those of both are. */
void disk_add(struct disk_delta *sum, const struct disk_delta *delta);

/* Means alone: of each the other figures are 0. From start to completion, to 1 ms / requests. */
struct latency disk_read_mean(const struct disk_delta *delta);
struct latency disk_write_mean(const struct disk_delta *delta);

/* How much of the time it had requests, at most 100; false: not known. */
bool disk_busy_pct(const struct disk_sample *now, const struct disk_sample *then, double seconds,
		   double *pct);

#endif
