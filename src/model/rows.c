// SPDX-License-Identifier: BSD-2-Clause
#include "model/rows.h"

#include <errno.h>
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

/* Rows are large: what is sorted is where they are. */
static int by_key_of(const void *a, const void *b)
{
	const struct io_row *const *x = a, *const *y = b;

	return by_key(*x, *y);
}

/* The rows of a sample, to be found by their keys. */
struct row_index {
	const struct sample *sample;
	struct scratch *scratch;
	const struct io_row **sorted; /* NULL until it is needed */
};

static int sort_index(struct row_index *index)
{
	const struct sample *sample = index->sample;

	if (index->sorted)
		return 0;
	index->sorted = scratch_take(index->scratch, sample->row_count + 1, sizeof(void *));
	if (!index->sorted)
		return -ENOMEM;
	for (size_t i = 0; i < sample->row_count; i++)
		index->sorted[i] = &sample->rows[i];
	sort_in_place((void *)index->sorted, sample->row_count, sizeof(void *), by_key_of);
	return 0;
}

/* `hint`: where it is in the other sample, and so often here. */
static int find_row(struct row_index *index, const struct io_row *wanted, size_t hint,
		    const struct io_row **found)
{
	const struct sample *sample = index->sample;
	const struct io_row **place;
	int err;

	*found = NULL;
	if (hint < sample->row_count && by_key(&sample->rows[hint], wanted) == 0) {
		*found = &sample->rows[hint];
		return 0;
	}
	err = sort_index(index);
	if (err)
		return err;
	place = bsearch(&wanted, index->sorted, sample->row_count, sizeof(void *), by_key_of);
	if (place)
		*found = *place;
	return 0;
}

static int subtract(struct io_row *row, struct row_index *from, const struct sample *to,
		    const struct io_row *now)
{
	const struct io_row *before;
	int err = find_row(from, now, (size_t)(now - to->rows), &before);

	if (err)
		return err;
	if (before && !same_owner(from->sample, to, before->key.owner))
		before = NULL;
	io_subtract(row, now, before);
	/* What a process wrote can be taken back: data of a file that was removed before it was written back. */
	if (to->source == SOURCE_PROC && before && now->bytes < before->bytes)
		row->bytes = 0;
	return 0;
}

/* What has come since `from`, in the order of keys. */
static int subtract_rows(struct io_row *rows, struct row_index *from, struct row_index *to)
{
	int err = sort_index(to);

	for (size_t i = 0; !err && i < to->sample->row_count; i++)
		err = subtract(&rows[i], from, to->sample, to->sorted[i]);
	return err;
}

/* Rows that were given back since are in the sums of exited processes: without what they had before. */
static int subtract_gone(struct io_row *rows, const struct sample *from, struct row_index *to)
{
	for (size_t i = 0; i < from->row_count; i++) {
		const struct io_row *gone = &from->rows[i], *still;
		struct io_row key = { .key = gone->key }, less;
		struct io_row *sum;
		int err = find_row(to, gone, i, &still);

		if (err)
			return err;
		if (still && same_owner(from, to->sample, gone->key.owner))
			continue;
		key.key.owner = OWNER_EXITED;
		sum = bsearch(&key, rows, to->sample->row_count, sizeof(*rows), by_key);
		if (!sum)
			continue;
		io_subtract(&less, sum, gone);
		*sum = less;
	}
	return 0;
}

struct io_row *rows_between(struct scratch *scratch, const struct sample *from,
			    const struct sample *to, size_t *count)
{
	struct row_index from_index = { .sample = from, .scratch = scratch };
	struct row_index to_index = { .sample = to, .scratch = scratch };
	struct io_row *rows = scratch_take(scratch, to->row_count + 1, sizeof(*rows));

	if (!rows || subtract_rows(rows, &from_index, &to_index) ||
	    subtract_gone(rows, from, &to_index))
		return NULL;
	*count = to->row_count;
	return rows;
}
