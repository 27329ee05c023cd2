/* SPDX-License-Identifier: BSD-2-Clause */
/* The part of a run in which a trainer's loop ran, and what came before. */
#ifndef WHYSTALL_JUDGE_STEADY_H
#define WHYSTALL_JUDGE_STEADY_H

#include "judge/case.h"
#include "judge/judge.h"
#include "judge/roles.h"

/* Stretches [first, last) of a run. */
struct steady {
	size_t first, last;
	bool found; /* else it is all of the run */
};

/*
 * Find it: from the first to the last stretch in which the trainer of `whole`, which is all of the run, and those who make its
 * input waited for each other again and again; all of it if there is none. The clocks of these follow the threads that `roles`
 * names.
 */
struct steady steady_find(const struct case_file *whole, const struct roles *roles,
			  const struct loop *stretches, size_t count);

/* What took longest for a trainer before its loop ran: CLASS_UNKNOWN where there is nothing. */
enum verdict_class steady_startup_class(const struct loop *before, pid_t trainer, pid_t tid);

#endif
