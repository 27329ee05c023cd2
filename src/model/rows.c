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

struct io_row *rows_between(const struct sample *from, const struct sample *to, size_t *count)
{
	struct io_row *rows = calloc(to->row_count + 1, sizeof(*rows));

	if (!rows)
		return NULL;
	for (size_t i = 0; i < to->row_count; i++) {
		const struct io_row *before = find_row(from, &to->rows[i].key, i);

		if (before && !same_owner(from, to, before->key.owner))
			before = NULL;
		io_subtract(&rows[i], &to->rows[i], before);
		/* What a process wrote can be taken back: data of a file that was removed before it was written back. */
		if (to->source == SOURCE_PROC && before && to->rows[i].bytes < before->bytes)
			rows[i].bytes = 0;
	}
	qsort(rows, to->row_count, sizeof(*rows), by_key);
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
