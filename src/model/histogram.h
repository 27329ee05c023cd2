/* SPDX-License-Identifier: BSD-2-Clause */
/* Reading the latency histograms that BPF fills (abi.h has their shape). */
#ifndef WHYSTALL_MODEL_HISTOGRAM_H
#define WHYSTALL_MODEL_HISTOGRAM_H

#include <linux/types.h>
#include <stdint.h>

#include "abi.h"

/* A bucket holds (lower, upper] ns. The last one has no upper bound: UINT64_MAX. */
uint64_t histogram_lower_ns(unsigned int bucket);
uint64_t histogram_upper_ns(unsigned int bucket);

uint64_t histogram_count(const __u64 counts[HISTOGRAM_BUCKETS]);

/*
 * The value that `share` (0 to 1) of all entries do not exceed, in ns: the middle of its bucket, so at
 * most 1/32 (3.2 %) off, and never above `max_ns`, the largest value seen. 0 without entries.
 */
double histogram_percentile_ns(const __u64 counts[HISTOGRAM_BUCKETS], double share,
			       uint64_t max_ns);

/* Powers of two from 2^10 to 2^36 ns as upper bounds, and one class above. */
enum { HISTOGRAM_POWERS = HISTOGRAM_MAX_LOG2 - HISTOGRAM_MIN_LOG2 + 2 };

/* Upper bound of a class in ns; UINT64_MAX for the last. */
uint64_t histogram_power_upper_ns(unsigned int power);

/* Add the buckets up into these classes; exact, since buckets do not straddle their bounds. */
void histogram_to_powers(const __u64 counts[HISTOGRAM_BUCKETS], uint64_t powers[HISTOGRAM_POWERS]);

#endif
