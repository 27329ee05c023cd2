/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Memory for work that is over soon: taken piece by piece, given back all at once, and kept for the next time. What is done
 * in each interval of a run so allocates nothing once it has been done.
 */
#ifndef WHYSTALL_BASE_SCRATCH_H
#define WHYSTALL_BASE_SCRATCH_H

#include <stddef.h>

struct scratch_block;

/* { 0 } is an empty one. */
struct scratch {
	struct scratch_block *first, *at;
};

/* How much is taken. */
struct scratch_mark {
	struct scratch_block *at;
	size_t used;
};

/* An array of `count` elements, all zeros, for as long as it is not given back; NULL when out of memory. */
void *scratch_take(struct scratch *scratch, size_t count, size_t size);

/* To give back later what is taken from now on. */
struct scratch_mark scratch_mark(const struct scratch *scratch);
void scratch_release(struct scratch *scratch, struct scratch_mark mark);

/* Give back all of it; the memory is kept. */
void scratch_reset(struct scratch *scratch);

void scratch_free(struct scratch *scratch);

#endif
