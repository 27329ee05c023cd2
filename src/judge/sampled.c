// SPDX-License-Identifier: BSD-2-Clause
#include "judge/sampled.h"

#include <math.h>

enum { FEWEST_STRETCHES = 3 };

static const double deviations = 1.96; /* on both sides: 95 % */

void sampled_add(struct shares_seen *seen, double input_bound_pct)
{
	seen->count++;
	seen->sum_pct += input_bound_pct;
	seen->squares += input_bound_pct * input_bound_pct;
}

/* As if each look were a draw of its own (Wilson): not 0 where nothing was drawn. */
static double binomial_pct(double part, double looks)
{
	double z2 = deviations * deviations;

	return 100 * deviations * sqrt(part * (1 - part) / looks + z2 / (4 * looks * looks)) /
	       (1 + z2 / looks);
}

/* Looks that follow one another see the same wait: how unlike the stretches are tells what that amounts to. */
static double variation_pct(const struct shares_seen *seen)
{
	double mean, variance;

	if (seen->count < FEWEST_STRETCHES)
		return 0;
	mean = seen->sum_pct / seen->count;
	variance = fmax(0, seen->squares - seen->count * mean * mean) / (seen->count - 1);
	return deviations * sqrt(variance / seen->count);
}

static bool is_close(double pct, double limit_pct, double error_pct)
{
	return fabs(pct - limit_pct) <= error_pct;
}

/* Might it be another class, but for the error? */
static bool may_be_other(const struct verdict *v)
{
	double looks = (double)v->looks * v->input_bound_pct / 100, top = 0;

	/* Who is blamed for it, and that they take turns, is not seen but concluded. */
	if (v->class == CLASS_PIPELINE || v->class == CLASS_LOCK || v->class == CLASS_MIXED)
		return true;
	if (v->share_known &&
	    is_close(v->input_bound_pct, VERDICT_LEAST_INPUT_BOUND_PCT, v->uncertainty_pct))
		return true;
	for (int class = 0; class < BLAME_CLASSES; class ++)
		top = fmax(top, v->blame_pct[class]);
	return top > 0 && looks > 0 &&
	       is_close(top, VERDICT_LEAST_BLAME_PCT, binomial_pct(top / 100, looks));
}

void sampled_rate(struct verdict *v, const struct shares_seen *seen, uint64_t looks)
{
	if (!looks)
		return;
	v->looks = looks;
	v->uncertainty_pct =
		fmax(binomial_pct(v->input_bound_pct / 100, (double)looks), variation_pct(seen));
	v->confidence = v->confidence == CONFIDENCE_HIGH && !may_be_other(v) ? CONFIDENCE_MEDIUM :
									       CONFIDENCE_LOW;
}
