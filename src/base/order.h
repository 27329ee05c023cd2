/* SPDX-License-Identifier: BSD-2-Clause */
/* For comparison functions as qsort(3) and bsearch(3) want them. */
#ifndef WHYSTALL_BASE_ORDER_H
#define WHYSTALL_BASE_ORDER_H

#include <stddef.h>
#include <stdint.h>

/* Below, equal or above 0, as `a` is to `b`. */
static inline int compare_numbers(uint64_t a, uint64_t b)
{
	return (a > b) - (a < b);
}

/* Index of the first element of a sorted array that is not below `key`; `count` if all are. */
static inline size_t first_not_below(const void *key, const void *array, size_t count, size_t size,
				     int (*order)(const void *, const void *))
{
	size_t low = 0, high = count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (order((const char *)array + middle * size, key) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/*
 * As qsort(3), which for more than a few elements allocates memory; elements that are the same may come in any order. Small
 * elements are best, such as pointers.
 */
void sort_in_place(void *array, size_t count, size_t size,
		   int (*order)(const void *, const void *));

#endif
