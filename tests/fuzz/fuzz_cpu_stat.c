// SPDX-License-Identifier: BSD-2-Clause
#include "fuzz.h"

#include <inttypes.h>

#include "collect/proc_parse.h"

static bool same(const struct proc_cgroup_cpu *a, const struct proc_cgroup_cpu *b)
{
	CHECK(a->usage_known || a->throttle_known);
	CHECK(a->usage_known || !a->usage_us);
	CHECK(a->throttle_known || (!a->periods && !a->throttled && !a->throttled_us));
	return a->usage_known == b->usage_known && a->usage_us == b->usage_us &&
	       a->throttle_known == b->throttle_known && a->periods == b->periods &&
	       a->throttled == b->throttled && a->throttled_us == b->throttled_us;
}

static int print(char *out, size_t size, const struct proc_cgroup_cpu *cpu)
{
	int len = 0;

	if (cpu->usage_known)
		len += snprintf(out, size, "usage_usec %" PRIu64 "\nuser_usec 0\n", cpu->usage_us);
	if (cpu->throttle_known)
		len += snprintf(out + len, size - (size_t)len,
				"nr_periods %" PRIu64 "\nnr_throttled %" PRIu64
				"\nthrottled_usec %" PRIu64 "\nnr_bursts 0\n",
				cpu->periods, cpu->throttled, cpu->throttled_us);
	return len;
}

FUZZ_PARSER(proc_cgroup_cpu, proc_parse_cpu_stat, same, print, false)
