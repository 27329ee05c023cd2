// SPDX-License-Identifier: BSD-2-Clause
#include "base/order.h"

#include <stdbool.h>
#include <string.h>

typedef int order_fn(const void *, const void *);

static void swap(char *a, char *b, size_t size)
{
	char piece[64];

	for (size_t n; size; size -= n, a += n, b += n) {
		n = size < sizeof(piece) ? size : sizeof(piece);
		memcpy(piece, a, n);
		memcpy(a, b, n);
		memcpy(b, piece, n);
	}
}

/* Elements below `count`, of which all but `at` are no less than their two children, 2 i + 1 and 2 i + 2. */
static void sink(char *array, size_t at, size_t count, size_t size, order_fn *order)
{
	for (size_t child; (child = 2 * at + 1) < count; at = child) {
		if (child + 1 < count &&
		    order(array + child * size, array + (child + 1) * size) < 0)
			child++;
		if (order(array + at * size, array + child * size) >= 0)
			return;
		swap(array + at * size, array + child * size, size);
	}
}

static bool is_sorted(const char *array, size_t count, size_t size, order_fn *order)
{
	for (size_t i = 1; i < count; i++)
		if (order(array + (i - 1) * size, array + i * size) > 0)
			return false;
	return true;
}

void sort_in_place(void *array, size_t count, size_t size, order_fn *order)
{
	char *at = array;

	if (is_sorted(at, count, size, order))
		return;
	for (size_t i = count / 2; i-- > 0;)
		sink(at, i, count, size, order);
	for (size_t i = count; i-- > 1;) {
		swap(at, at + i * size, size);
		sink(at, 0, i, size, order);
	}
}
