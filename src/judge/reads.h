/* SPDX-License-Identifier: BSD-2-Clause */
/* Does the place that is read from serve more at the same time? */
#ifndef WHYSTALL_JUDGE_READS_H
#define WHYSTALL_JUDGE_READS_H

#include "judge/judge.h"
#include "model/report.h"

struct reads {
	double alone_s, beside_s; /* how long one took alone, and beside the most others */
};

/*
 * At the mount that the verdict's waits were longest for; where that is not known, at the device. Returns false where reads
 * alone or beside others were hardly seen.
 */
bool reads_compare(struct reads *reads, const struct verdict *verdict, const struct report *report);

/* One beside others takes no longer than one alone. */
bool reads_serve_more(const struct reads *reads);

#endif
