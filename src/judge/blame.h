/* SPDX-License-Identifier: BSD-2-Clause */
/* What those who make a trainer's input did while it waited. */
#ifndef WHYSTALL_JUDGE_BLAME_H
#define WHYSTALL_JUDGE_BLAME_H

#include "judge/case.h"
#include "judge/judge.h"

/* The class of the blame that a class of the ledger counts for. */
enum verdict_class blame_class(unsigned int ledger_class);

/* Who makes the input, busy on the waiting clock or not, into v->producers; v->waited_s is known. Room is for all threads. */
void blame_find_producers(struct verdict *v, const struct case_file *c);

/*
 * Share the waits out, into v->blame_pct, and set v->class to the largest part, or to mixed. Returns false where that rests on
 * what is likely: two ways to look at it, which cannot be told apart, give different classes.
 */
bool blame_share(struct verdict *v, const struct case_file *c);

/* The same for one that makes its input itself. */
void blame_share_own(struct verdict *v, const struct case_file *c);

/*
 * How much of the shorter side, trainer or producers, the loop took longer than its longer side alone. 0: they overlap, 1:
 * they take turns. 0 too where the shorter side is short: there is not much to win.
 */
double blame_overlap_lost(const struct verdict *v);

/*
 * An interpreter's lock: threads of the trainer's process that each run and each wait for a lock, and together keep one
 * processor busy. Python's is waited for 5 ms at a time, so that many of these waits end by a timer; those of threads that
 * compute together (OpenMP, autograd) do not. Returns how long these ran; 0: there is none. `trainer`: does its loop wait for it
 * too?
 */
double blame_interpreter_lock_s(const struct case_file *c, bool *trainer);

#endif
