// SPDX-License-Identifier: BSD-2-Clause
#include "base/scratch.h"

#include <stdalign.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* With AddressSanitizer, what lies between two pieces and what was given back may not be touched. */
#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
enum { GAP = 16 };
#define forbid(at, bytes) ASAN_POISON_MEMORY_REGION(at, bytes)
#define permit(at, bytes) ASAN_UNPOISON_MEMORY_REGION(at, bytes)
#else
enum { GAP = 0 };
#define forbid(at, bytes) ((void)(at), (void)(bytes))
#define permit(at, bytes) ((void)(at), (void)(bytes))
#endif

enum { ALIGN = alignof(max_align_t), SMALLEST_BLOCK = 16384 };

struct scratch_block {
	struct scratch_block *next;
	size_t bytes, used;
	alignas(max_align_t) char memory[];
};

/* At the end of the list; each is twice as large as the one before, so that there are few. */
static struct scratch_block *add_block(struct scratch *scratch, struct scratch_block *last,
				       size_t least)
{
	size_t bytes = last ? 2 * last->bytes : SMALLEST_BLOCK;
	struct scratch_block *block;

	if (bytes < least)
		bytes = least;
	block = malloc(sizeof(*block) + bytes);
	if (!block)
		return NULL;
	*block = (struct scratch_block){ .bytes = bytes };
	forbid(block->memory, bytes);
	if (last)
		last->next = block;
	else
		scratch->first = block;
	return block;
}

/* The block that has room for so much, the current one or one behind it. */
static struct scratch_block *find_room(struct scratch *scratch, size_t bytes)
{
	struct scratch_block *block = scratch->at ? scratch->at : scratch->first, *last = NULL;

	for (; block; block = block->next) {
		if (block != scratch->at)
			block->used = 0;
		if (block->bytes - block->used >= bytes)
			return block;
		last = block;
	}
	return add_block(scratch, last, bytes);
}

void *scratch_take(struct scratch *scratch, size_t count, size_t size)
{
	struct scratch_block *block;
	size_t bytes, place;
	void *taken;

	if (__builtin_mul_overflow(count, size, &bytes) || bytes > SIZE_MAX / 2)
		return NULL;
	place = (bytes + GAP + ALIGN - 1) / ALIGN * ALIGN;
	block = find_room(scratch, place);
	if (!block)
		return NULL;
	taken = block->memory + block->used;
	block->used += place;
	scratch->at = block;
	permit(taken, bytes);
	return memset(taken, 0, bytes);
}

struct scratch_mark scratch_mark(const struct scratch *scratch)
{
	return (struct scratch_mark){ scratch->at, scratch->at ? scratch->at->used : 0 };
}

void scratch_release(struct scratch *scratch, struct scratch_mark mark)
{
	struct scratch_block *block = mark.at ? mark.at : scratch->first;

	scratch->at = mark.at;
	for (size_t kept = mark.used; block; block = block->next, kept = 0)
		forbid(block->memory + kept, block->bytes - kept);
	if (mark.at)
		mark.at->used = mark.used;
}

void scratch_reset(struct scratch *scratch)
{
	scratch_release(scratch, (struct scratch_mark){ 0 });
}

void scratch_free(struct scratch *scratch)
{
	struct scratch_block *block = scratch->first, *next;

	for (; block; block = next) {
		next = block->next;
		permit(block->memory, block->bytes);
		free(block);
	}
	*scratch = (struct scratch){ 0 };
}
