// SPDX-License-Identifier: BSD-2-Clause
#include "fuzz.h"

#include <inttypes.h>

#include "collect/proc_parse.h"

static bool same(const struct disk_sample *a, const struct disk_sample *b)
{
	CHECK(memchr(a->name, '\0', sizeof(a->name)) && a->name[0] && !strchr(a->name, '/'));
	CHECK(!a->partition && !a->hidden);
	CHECK(a->read_bytes % 512 == 0 && a->write_bytes % 512 == 0 && a->discard_bytes % 512 == 0);
	return a->device == b->device && strcmp(a->name, b->name) == 0 && a->reads == b->reads &&
	       a->read_bytes == b->read_bytes && a->writes == b->writes &&
	       a->write_bytes == b->write_bytes && a->discards == b->discards &&
	       a->discard_bytes == b->discard_bytes && a->flushes == b->flushes &&
	       a->in_flight == b->in_flight && a->busy_ms == b->busy_ms &&
	       a->read_ms == b->read_ms && a->write_ms == b->write_ms;
}

static int print(char *out, size_t size, const struct disk_sample *d)
{
	return snprintf(out, size,
			"%4u %7u %s %" PRIu64 " 0 %" PRIu64 " %" PRIu64 " %" PRIu64 " 0 %" PRIu64
			" %" PRIu64 " %" PRIu64 " %" PRIu64 " 0 %" PRIu64 " 0 %" PRIu64
			" 0 %" PRIu64 " 0\n",
			device_major(d->device), device_minor(d->device), d->name, d->reads,
			d->read_bytes / 512, d->read_ms, d->writes, d->write_bytes / 512,
			d->write_ms, d->in_flight, d->busy_ms, d->discards, d->discard_bytes / 512,
			d->flushes);
}

FUZZ_PARSER(disk_sample, proc_parse_diskstats_line, same, print, true)
