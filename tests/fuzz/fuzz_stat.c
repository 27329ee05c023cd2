// SPDX-License-Identifier: BSD-2-Clause
#include "fuzz.h"

#include <inttypes.h>

#include "collect/proc_parse.h"

static bool same(const struct proc_stat *a, const struct proc_stat *b)
{
	CHECK(memchr(a->comm, '\0', sizeof(a->comm)));
	CHECK(a->ppid >= 0);
	return strcmp(a->comm, b->comm) == 0 && a->state == b->state && a->ppid == b->ppid &&
	       a->flags == b->flags && a->major_faults == b->major_faults &&
	       a->user_ticks == b->user_ticks && a->system_ticks == b->system_ticks &&
	       a->threads == b->threads && a->start_ticks == b->start_ticks &&
	       a->block_ticks == b->block_ticks;
}

static int print(char *out, size_t size, const struct proc_stat *s)
{
	return snprintf(out, size,
			"1 (%s) %c %d 1 1 0 -1 %" PRIu64 " 0 0 %" PRIu64 " 0 %" PRIu64 " %" PRIu64
			" 0 -5 20 -19 %" PRIu64 " 0 %" PRIu64
			" 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 17 0 0 0 %" PRIu64 " 0\n",
			s->comm, s->state, s->ppid, s->flags, s->major_faults, s->user_ticks,
			s->system_ticks, s->threads, s->start_ticks, s->block_ticks);
}

FUZZ_PARSER(proc_stat, proc_parse_stat, same, print, true)
