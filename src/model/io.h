/* SPDX-License-Identifier: BSD-2-Clause */
/* Block I/O of one kind between two samples: what the counters of a row turn into. */
#ifndef WHYSTALL_MODEL_IO_H
#define WHYSTALL_MODEL_IO_H

#include <stdbool.h>

#include "collect/sample.h"
#include "model/histogram.h"

struct latency {
	bool known; /* at least one request has it */
	double mean_ns, p50_ns, p90_ns, p99_ns, p999_ns, max_ns;
};

/*
 * `to` - `from`, field by field, into `delta`, with the key of `to`; `from` NULL means zero. A counter
 * that went back was restarted: what it holds now is what has been since. Maxima are those of `to`, or,
 * where `from` has one as large, the upper end of the highest bucket that grew: a bound.
 */
void io_subtract(struct io_row *delta, const struct io_row *to, const struct io_row *from);

struct latency io_queue_latency(const struct io_row *row);
struct latency io_device_latency(const struct io_row *row);

/* Counters that only grow, the difference; what it is now if it went back. */
uint64_t counter_delta(uint64_t to, uint64_t from);

/* The same for one that wraps at 2^32. */
uint64_t counter32_delta(uint64_t to, uint64_t from);

#endif
