// SPDX-License-Identifier: BSD-2-Clause
#include "fuzz.h"

#include <inttypes.h>

#include "collect/proc_parse.h"

static bool same(const struct proc_status *a, const struct proc_status *b)
{
	CHECK(a->tgid >= 0 && a->pid >= 0 && a->ppid >= 0);
	CHECK(a->kernel_thread_known || !a->kernel_thread);
	return a->tgid == b->tgid && a->pid == b->pid && a->ppid == b->ppid && a->uid == b->uid &&
	       a->threads == b->threads && a->switches_known == b->switches_known &&
	       a->voluntary_switches == b->voluntary_switches &&
	       a->involuntary_switches == b->involuntary_switches &&
	       a->kernel_thread_known == b->kernel_thread_known &&
	       a->kernel_thread == b->kernel_thread;
}

static int print(char *out, size_t size, const struct proc_status *s)
{
	int len = snprintf(out, size,
			   "Name:\tx\\ny\nTgid:\t%d\nPid:\t9\nPPid:\t%d\nUid:\t%u\t0\t0\t0\n"
			   "NSpid:\t9\t%d\nThreads:\t%" PRIu64 "\n",
			   s->tgid, s->ppid, s->uid, s->pid, s->threads);

	if (s->kernel_thread_known)
		len += snprintf(out + len, size - (size_t)len, "Kthread:\t%d\n", s->kernel_thread);
	if (s->switches_known)
		len += snprintf(out + len, size - (size_t)len,
				"voluntary_ctxt_switches:\t%" PRIu64
				"\nnonvoluntary_ctxt_switches:\t%" PRIu64 "\n",
				s->voluntary_switches, s->involuntary_switches);
	return len;
}

FUZZ_PARSER(proc_status, proc_parse_status, same, print, false)
