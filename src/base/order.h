/* SPDX-License-Identifier: BSD-2-Clause */
/* For comparison functions as qsort(3) and bsearch(3) want them. */
#ifndef WHYSTALL_BASE_ORDER_H
#define WHYSTALL_BASE_ORDER_H

#include <stdint.h>

/* Below, equal or above 0, as `a` is to `b`. */
static inline int compare_numbers(uint64_t a, uint64_t b)
{
	return (a > b) - (a < b);
}

#endif
