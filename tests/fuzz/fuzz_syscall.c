// SPDX-License-Identifier: BSD-2-Clause
#include "fuzz.h"

#include <inttypes.h>

#include "collect/proc_parse.h"

static bool same(const struct proc_syscall *a, const struct proc_syscall *b)
{
	CHECK(a->number >= -1);
	CHECK(!a->running || a->number == -1);
	return a->running == b->running && a->number == b->number &&
	       memcmp(a->args, b->args, sizeof(a->args)) == 0;
}

static int print(char *out, size_t size, const struct proc_syscall *s)
{
	if (s->running)
		return snprintf(out, size, "running\n");
	if (s->number < 0)
		return snprintf(out, size, "-1 0x7ffe 0x7fd5\n");
	return snprintf(out, size,
			"%" PRId64 " 0x%" PRIx64 " 0x%" PRIx64 " 0x%" PRIx64 " 0x%" PRIx64
			" 0x%" PRIx64 " 0x%" PRIx64 " 0x7ffe 0x7fd5\n",
			s->number, s->args[0], s->args[1], s->args[2], s->args[3], s->args[4],
			s->args[5]);
}

FUZZ_PARSER(proc_syscall, proc_parse_syscall, same, print, true)
