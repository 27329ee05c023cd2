// SPDX-License-Identifier: BSD-2-Clause
#include "model/disks.h"

#include "base/units.h"

static bool went_back(const struct disk_sample *now, const struct disk_sample *then)
{
	return now->reads < then->reads || now->read_bytes < then->read_bytes ||
	       now->writes < then->writes || now->write_bytes < then->write_bytes ||
	       now->discards < then->discards || now->flushes < then->flushes;
}

static bool subtract_ms(uint64_t *ms, uint64_t now, uint64_t then)
{
	*ms = counter32_delta(now, then);
	return *ms <= INT32_MAX;
}

static uint64_t requests(const struct disk_sample *disk)
{
	return disk->reads + disk->writes + disk->discards + disk->flushes;
}

void disk_subtract(struct disk_delta *delta, const struct disk_sample *now,
		   const struct disk_sample *then)
{
	const struct disk_sample zero = { 0 };
	bool reads_known, writes_known;

	if (!then || went_back(now, then))
		then = &zero;
	*delta = (struct disk_delta){
		.requests = requests(now) - requests(then),
		.reads = now->reads - then->reads,
		.read_bytes = now->read_bytes - then->read_bytes,
		.writes = now->writes - then->writes,
		.write_bytes = now->write_bytes - then->write_bytes,
	};
	reads_known = subtract_ms(&delta->read_ms, now->read_ms, then->read_ms);
	writes_known = subtract_ms(&delta->write_ms, now->write_ms, then->write_ms);
	delta->times_known = reads_known && writes_known;
}

void disk_add(struct disk_delta *sum, const struct disk_delta *delta)
{
	sum->requests += delta->requests;
	sum->reads += delta->reads;
	sum->read_bytes += delta->read_bytes;
	sum->writes += delta->writes;
	sum->write_bytes += delta->write_bytes;
	sum->read_ms += delta->read_ms;
	sum->write_ms += delta->write_ms;
	sum->times_known &= delta->times_known;
}

static struct latency mean(const struct disk_delta *delta, uint64_t ms, uint64_t count)
{
	struct latency latency = { .known = delta->times_known && count };

	if (latency.known)
		latency.mean_ns = (double)ms * NS_PER_MS / (double)count;
	return latency;
}

struct latency disk_read_mean(const struct disk_delta *delta)
{
	return mean(delta, delta->read_ms, delta->reads);
}

struct latency disk_write_mean(const struct disk_delta *delta)
{
	return mean(delta, delta->write_ms, delta->writes);
}

bool disk_busy_pct(const struct disk_sample *now, const struct disk_sample *then, double seconds,
		   double *pct)
{
	uint64_t ms;

	if (!subtract_ms(&ms, now->busy_ms, went_back(now, then) ? 0 : then->busy_ms))
		return false;
	*pct = (double)ms / (seconds * 10);
	/* The kernel rounds to its timer's ticks: a busy device can come out a little above. */
	if (*pct > 100)
		*pct = 100;
	return true;
}
