// SPDX-License-Identifier: BSD-2-Clause
#include "collect/batch.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>

enum { FIRST_BYTES = 32768 };

static int grow(struct batch *batch)
{
	size_t bytes = batch->bytes ? 2 * batch->bytes : FIRST_BYTES;
	char *buffer = realloc(batch->buffer, bytes);

	if (!buffer)
		return -ENOMEM;
	batch->buffer = buffer;
	batch->bytes = bytes;
	return 0;
}

/* Keys lie one behind the other, and values behind the place for the last key. */
struct layout {
	size_t key_size, value_size;
	uint32_t entries; /* that there is room for */
	char *keys, *values;
};

static struct layout lay_out(const struct batch *batch, const struct bpf_map *map)
{
	struct layout l = { .key_size = bpf_map__key_size(map),
			    .value_size = bpf_map__value_size(map) };
	const size_t align = sizeof(uint64_t);

	l.entries = (uint32_t)((batch->bytes - align) / (l.key_size + l.value_size));
	l.keys = batch->buffer;
	l.values = batch->buffer + (l.entries * l.key_size + align - 1) / align * align;
	return l;
}

static int take(const struct layout *l, uint32_t count, batch_entry *each, void *context)
{
	int result = 0;

	for (uint32_t i = 0; !result && i < count; i++)
		result = each(context, l->keys + i * l->key_size, l->values + i * l->value_size);
	return result;
}

int batch_read(struct batch *batch, const struct bpf_map *map, batch_entry *each, void *context)
{
	uint32_t at, *from = NULL;
	int err = batch->buffer ? 0 : grow(batch), result = 0;

	while (!err && !result) {
		const struct layout l = lay_out(batch, map);
		uint32_t count = l.entries;

		err = bpf_map_lookup_batch(bpf_map__fd(map), from, &at, l.keys, l.values, &count,
					   NULL);
		/* No room for the entries of the next bucket, and nothing copied: from the same place again. */
		if (err == -ENOSPC) {
			err = grow(batch);
			continue;
		}
		if (!err || err == -ENOENT)
			result = take(&l, count, each, context);
		from = &at;
	}
	return err && err != -ENOENT ? err : result;
}

void batch_free(struct batch *batch)
{
	free(batch->buffer);
	*batch = (struct batch){ 0 };
}
