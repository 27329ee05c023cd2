// SPDX-License-Identifier: BSD-2-Clause
#include "fuzz.h"

#include <inttypes.h>

#include "collect/proc_parse.h"

static bool same(const struct proc_schedstat *a, const struct proc_schedstat *b)
{
	return a->cpu_ns == b->cpu_ns && a->runqueue_ns == b->runqueue_ns && a->slices == b->slices;
}

static int print(char *out, size_t size, const struct proc_schedstat *s)
{
	return snprintf(out, size, "%" PRIu64 " %" PRIu64 " %" PRIu64 "\n", s->cpu_ns,
			s->runqueue_ns, s->slices);
}

FUZZ_PARSER(proc_schedstat, proc_parse_schedstat, same, print, true)
