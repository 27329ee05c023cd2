/* SPDX-License-Identifier: BSD-2-Clause */
/* Rows of `whystall stat`: rates and latencies of one interval, for a device or for all together. */
#ifndef WHYSTALL_MODEL_RATES_H
#define WHYSTALL_MODEL_RATES_H

#include "base/scratch.h"
#include "model/io.h"

/* Cumulative counters of a device, over all owners that count. */
struct device_totals {
	uint32_t device; /* 0: all devices */
	uint64_t requests;
	struct io_row read, write;
};

/* How many threads of the job were in a state, on average over the interval. */
struct occupancy {
	bool known; /* only of a job */
	double cpu, runqueue, storage, network, ipc, lock, gpu, sleep, other;
};

struct totals {
	struct device_totals
		*list; /* the first one is for all devices; of SOURCE_PROC the only one */
	size_t count, capacity;
	bool everybody;
};

struct rates {
	uint32_t device; /* 0: all devices */
	char name[DISK_NAME_LEN];
	struct timespec time; /* end of the interval */
	enum sample_source source;
	bool bytes_known, requests_known;
	double read_mb_s, write_mb_s, requests_s;
	struct latency read,
		write; /* device latency; of SOURCE_PROC from start to completion, means alone */
	bool busy_known;
	struct occupancy threads; /* of the job, the same in each row of an interval */
	double busy_pct; /* of the device, everybody's; for all devices, of the busiest disk */
};

/*
 * Add up the rows of a sample: of the job's processes, or, with `everybody`, of all. Memory of `totals`
 * is reused. Returns 0 or -ENOMEM.
 */
int totals_build(struct totals *totals, const struct sample *sample, bool everybody);

void totals_free(struct totals *totals);

/* Fill in what the job's threads did between two samples. Returns 0 or -ENOMEM. */
int occupancy_build(struct occupancy *threads, struct scratch *scratch, const struct sample *from,
		    const struct sample *to);

/* Has anything moved between the two? */
bool totals_differ(const struct totals *before, const struct totals *now);

/*
 * Fill `rates` for one device, or for all (`device` 0), from what two samples and their totals say. A
 * device that is not in them has rates of 0. Of SOURCE_PROC, of everybody those of the kernel's own disk
 * statistics, of a job its bytes, for all devices alone. Returns 0 or -ENOMEM.
 */
int rates_build(struct rates *rates, struct scratch *scratch, uint32_t device,
		const struct sample *from, const struct totals *before, const struct sample *to,
		const struct totals *now);

#endif
