// SPDX-License-Identifier: BSD-2-Clause
#include "model/rows.h"

#include <stdlib.h>
#include <string.h>

#include "base/order.h"

static int by_key(const void *a, const void *b)
{
	const struct io_key *x = &((const struct io_row *)a)->key;
	const struct io_key *y = &((const struct io_row *)b)->key;
	int order = compare_numbers(x->owner, y->owner);

	if (!order)
		order = compare_numbers(x->device, y->device);
	if (!order)
		order = compare_numbers(x->op, y->op);
	if (!order)
		order = compare_numbers(x->cause, y->cause);
	return order ? order : compare_numbers(x->lower, y->lower);
}

/* An owner's index can have been given to another process between the two samples. */
static bool same_owner(const struct sample *from, const struct sample *to, uint32_t owner)
{
	return owner < OWNER_FIRST ||
	       (owner < from->owner_count && owner < to->owner_count &&
		from->owners[owner].owner.start_boot_ns == to->owners[owner].owner.start_boot_ns);
}

/* `hint`: where it is in the other sample, and so often here. */
static const struct io_row *find_row(const struct sample *sample, const struct io_key *key,
				     size_t hint)
{
	if (hint < sample->row_count && memcmp(&sample->rows[hint].key, key, sizeof(*key)) == 0)
		return &sample->rows[hint];
	for (size_t i = 0; i < sample->row_count; i++)
		if (memcmp(&sample->rows[i].key, key, sizeof(*key)) == 0)
			return &sample->rows[i];
	return NULL;
}

/* Rows are large: what is sorted is where they are. */
static int by_key_of(const void *a, const void *b)
{
	const struct io_row *const *x = a, *const *y = b;

	return by_key(*x, *y);
}

static void subtract(struct io_row *row, const struct sample *from, const struct sample *to,
		     const struct io_row *now)
{
	const struct io_row *before = find_row(from, &now->key, (size_t)(now - to->rows));

	if (before && !same_owner(from, to, before->key.owner))
		before = NULL;
	io_subtract(row, now, before);
	/* What a process wrote can be taken back: data of a file that was removed before it was written back. */
	if (to->source == SOURCE_PROC && before && now->bytes < before->bytes)
		row->bytes = 0;
}

struct io_row *rows_between(struct scratch *scratch, const struct sample *from,
			    const struct sample *to, size_t *count)
{
	struct io_row *rows = scratch_take(scratch, to->row_count + 1, sizeof(*rows));
	const struct io_row **sorted = scratch_take(scratch, to->row_count + 1, sizeof(void *));

	if (!rows || !sorted)
		return NULL;
	for (size_t i = 0; i < to->row_count; i++)
		sorted[i] = &to->rows[i];
	sort_in_place((void *)sorted, to->row_count, sizeof(void *), by_key_of);
	for (size_t i = 0; i < to->row_count; i++)
		subtract(&rows[i], from, to, sorted[i]);
	*count = to->row_count;
	for (size_t i = 0; i < from->row_count; i++) {
		const struct io_row *gone = &from->rows[i];
		struct io_row key = { .key = gone->key }, less;
		struct io_row *sum;

		if (same_owner(from, to, gone->key.owner) && find_row(to, &gone->key, i))
			continue;
		key.key.owner = OWNER_EXITED;
		sum = bsearch(&key, rows, *count, sizeof(*rows), by_key);
		if (!sum)
			continue;
		io_subtract(&less, sum, gone);
		*sum = less;
	}
	return rows;
}
