/* SPDX-License-Identifier: BSD-2-Clause */
/* How far a verdict holds that rests on looks at threads, not on what BPF counted: the error of sampling. */
#ifndef WHYSTALL_JUDGE_SAMPLED_H
#define WHYSTALL_JUDGE_SAMPLED_H

#include "judge/judge.h"

/* Waiting shares of the stretches of a steady part, as they are judged. */
struct shares_seen {
	unsigned int count;
	double sum_pct, squares;
};

void sampled_add(struct shares_seen *seen, double input_bound_pct);

/*
 * Set looks and uncertainty_pct of a verdict whose loop was looked at so often, and lower its confidence: never high, and low
 * where the error might have made it another class. Nothing for `looks` 0.
 */
void sampled_rate(struct verdict *verdict, const struct shares_seen *seen, uint64_t looks);

#endif
