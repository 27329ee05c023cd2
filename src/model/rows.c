// SPDX-License-Identifier: BSD-2-Clause
#include "model/rows.h"

#include <errno.h>
#include <stdlib.h>

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

struct row_place {
	const struct io_row *row;
};

/* The rows of a sample, to be found by their keys. */
struct row_index {
	const struct sample *sample;
	struct row_place *sorted; /* NULL until one is looked for elsewhere than where it was */
};

static int places_by_key(const void *a, const void *b)
{
	const struct row_place *x = a, *y = b;

	return by_key(x->row, y->row);
}

static int sort_index(struct row_index *index)
{
	const struct sample *sample = index->sample;

	if (index->sorted)
		return 0;
	index->sorted = calloc(sample->row_count + 1, sizeof(*index->sorted));
	if (!index->sorted)
		return -ENOMEM;
	for (size_t i = 0; i < sample->row_count; i++)
		index->sorted[i].row = &sample->rows[i];
	qsort(index->sorted, sample->row_count, sizeof(*index->sorted), places_by_key);
	return 0;
}

/* `hint`: where it is in the other sample, and so often here. */
static int find_row(struct row_index *index, const struct io_row *wanted, size_t hint,
		    const struct io_row **found)
{
	const struct sample *sample = index->sample;
	const struct row_place key = { .row = wanted }, *place;
	int err;

	*found = NULL;
	if (hint < sample->row_count && by_key(&sample->rows[hint], wanted) == 0) {
		*found = &sample->rows[hint];
		return 0;
	}
	err = sort_index(index);
	if (err)
		return err;
	place = bsearch(&key, index->sorted, sample->row_count, sizeof(*index->sorted),
			places_by_key);
	if (place)
		*found = place->row;
	return 0;
}

/* What has come since `from`, in the order of keys. */
static int subtract_rows(struct io_row *rows, struct row_index *from, const struct sample *to)
{
	for (size_t i = 0; i < to->row_count; i++) {
		const struct io_row *before;
		int err = find_row(from, &to->rows[i], i, &before);

		if (err)
			return err;
		if (before && !same_owner(from->sample, to, before->key.owner))
			before = NULL;
		io_subtract(&rows[i], &to->rows[i], before);
		/* What a process wrote can be taken back: data of a file that was removed before it was written back. */
		if (to->source == SOURCE_PROC && before && to->rows[i].bytes < before->bytes)
			rows[i].bytes = 0;
	}
	qsort(rows, to->row_count, sizeof(*rows), by_key);
	return 0;
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

struct io_row *rows_between(const struct sample *from, const struct sample *to, size_t *count)
{
	struct row_index from_index = { .sample = from }, to_index = { .sample = to };
	struct io_row *rows = calloc(to->row_count + 1, sizeof(*rows));
	int err = rows ? subtract_rows(rows, &from_index, to) : -ENOMEM;

	if (!err)
		err = subtract_gone(rows, from, &to_index);
	free(from_index.sorted);
	free(to_index.sorted);
	if (err) {
		free(rows);
		return NULL;
	}
	*count = to->row_count;
	return rows;
}
