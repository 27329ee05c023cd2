// SPDX-License-Identifier: BSD-2-Clause
#include "model/io.h"

uint64_t counter_delta(uint64_t to, uint64_t from)
{
	return to >= from ? to - from : to;
}

uint64_t counter32_delta(uint64_t to, uint64_t from)
{
	return (uint32_t)to - (uint32_t)from;
}

static uint64_t max_since(const __u64 delta[HISTOGRAM_BUCKETS], uint64_t to, uint64_t from)
{
	if (to > from)
		return to;
	for (unsigned int i = HISTOGRAM_BUCKETS; i-- > 0;) {
		uint64_t upper = histogram_upper_ns(i);

		if (delta[i])
			return upper < to ? upper : to;
	}
	return 0;
}

void io_subtract(struct io_row *delta, const struct io_row *to, const struct io_row *from)
{
	*delta = *to;
	/* A restarted row shows by its count of requests; then nothing of `from` is left in it. */
	if (!from || to->requests < from->requests)
		return;
	delta->requests = to->requests - from->requests;
	delta->bytes = counter_delta(to->bytes, from->bytes);
	delta->errors = counter_delta(to->errors, from->errors);
	delta->unissued = counter_delta(to->unissued, from->unissued);
	delta->queue_ns = counter_delta(to->queue_ns, from->queue_ns);
	delta->device_ns = counter_delta(to->device_ns, from->device_ns);
	for (int i = 0; i < HISTOGRAM_BUCKETS; i++) {
		delta->queue[i] = counter_delta(to->queue[i], from->queue[i]);
		delta->device[i] = counter_delta(to->device[i], from->device[i]);
	}
	delta->queue_max_ns = max_since(delta->queue, to->queue_max_ns, from->queue_max_ns);
	delta->device_max_ns = max_since(delta->device, to->device_max_ns, from->device_max_ns);
}

static struct latency latency_of(const __u64 counts[HISTOGRAM_BUCKETS], uint64_t sum_ns,
				 uint64_t max_ns)
{
	uint64_t count = histogram_count(counts);
	struct latency latency = { .known = count != 0 };

	if (!count)
		return latency;
	latency.mean_ns = (double)sum_ns / (double)count;
	latency.p50_ns = histogram_percentile_ns(counts, .5, max_ns);
	latency.p90_ns = histogram_percentile_ns(counts, .9, max_ns);
	latency.p99_ns = histogram_percentile_ns(counts, .99, max_ns);
	latency.p999_ns = histogram_percentile_ns(counts, .999, max_ns);
	latency.max_ns = (double)max_ns;
	return latency;
}

struct latency io_queue_latency(const struct io_row *row)
{
	return latency_of(row->queue, row->queue_ns, row->queue_max_ns);
}

struct latency io_device_latency(const struct io_row *row)
{
	return latency_of(row->device, row->device_ns, row->device_max_ns);
}
