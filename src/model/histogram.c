// SPDX-License-Identifier: BSD-2-Clause
#include "model/histogram.h"

#include <string.h>

enum { SUB_BUCKETS = 1 << HISTOGRAM_SUB_LOG2 };

uint64_t histogram_lower_ns(unsigned int bucket)
{
	unsigned int log2, sub;

	if (bucket == 0)
		return 0;
	bucket--;
	log2 = HISTOGRAM_MIN_LOG2 + bucket / SUB_BUCKETS;
	sub = bucket % SUB_BUCKETS;
	return (uint64_t)(SUB_BUCKETS + sub) << (log2 - HISTOGRAM_SUB_LOG2);
}

uint64_t histogram_upper_ns(unsigned int bucket)
{
	return bucket >= HISTOGRAM_BUCKETS - 1 ? UINT64_MAX : histogram_lower_ns(bucket + 1);
}

uint64_t histogram_count(const __u64 counts[HISTOGRAM_BUCKETS])
{
	uint64_t total = 0;

	for (unsigned int i = 0; i < HISTOGRAM_BUCKETS; i++)
		total += counts[i];
	return total;
}

double histogram_percentile_ns(const __u64 counts[HISTOGRAM_BUCKETS], double share, uint64_t max_ns)
{
	uint64_t total = histogram_count(counts), seen = 0;
	/* The rank of the entry asked for, from 1: the smallest that covers the share. */
	double rank = share * (double)total;
	double value = 0;

	if (!total)
		return 0;
	for (unsigned int i = 0; i < HISTOGRAM_BUCKETS; i++) {
		if (!counts[i])
			continue;
		seen += counts[i];
		value = i == HISTOGRAM_BUCKETS - 1 ?
				(double)max_ns :
				(double)(histogram_lower_ns(i) + histogram_upper_ns(i)) / 2;
		if ((double)seen >= rank)
			break;
	}
	return value < (double)max_ns ? value : (double)max_ns;
}

uint64_t histogram_power_upper_ns(unsigned int power)
{
	return power >= HISTOGRAM_POWERS - 1 ? UINT64_MAX : 1ULL << (HISTOGRAM_MIN_LOG2 + power);
}

void histogram_to_powers(const __u64 counts[HISTOGRAM_BUCKETS], uint64_t powers[HISTOGRAM_POWERS])
{
	memset(powers, 0, HISTOGRAM_POWERS * sizeof(*powers));
	for (unsigned int i = 0; i < HISTOGRAM_BUCKETS; i++)
		powers[(i + SUB_BUCKETS - 1) / SUB_BUCKETS] += counts[i];
}
