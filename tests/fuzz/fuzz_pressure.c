// SPDX-License-Identifier: BSD-2-Clause
#include "fuzz.h"

#include <inttypes.h>

#include "collect/proc_parse.h"

static bool same(const struct proc_pressure *a, const struct proc_pressure *b)
{
	CHECK(a->known);
	CHECK(a->some_avg10 >= 0 && a->some_avg10 < 101);
	CHECK(a->full_known || (a->full_us == 0 && a->full_avg10 == 0));
	return b->known && a->some_us == b->some_us && a->some_avg10 == b->some_avg10 &&
	       a->full_known == b->full_known && a->full_us == b->full_us &&
	       a->full_avg10 == b->full_avg10;
}

static int print(char *out, size_t size, const struct proc_pressure *p)
{
	int len = snprintf(out, size, "some avg10=%.2f avg60=1.00 avg300=0.50 total=%" PRIu64 "\n",
			   p->some_avg10, p->some_us);

	if (p->full_known)
		len += snprintf(out + len, size - (size_t)len,
				"full avg10=%.2f avg60=0.00 avg300=0.00 total=%" PRIu64 "\n",
				p->full_avg10, p->full_us);
	return len;
}

FUZZ_PARSER(proc_pressure, proc_parse_pressure, same, print, false)
