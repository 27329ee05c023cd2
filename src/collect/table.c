// SPDX-License-Identifier: BSD-2-Clause
#include "collect/table.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { SMALLEST_PIECE_BYTES = 65536 };

static size_t round_up(size_t bytes, size_t unit)
{
	return (bytes + unit - 1) / unit * unit;
}

int table_open(struct table *table, const struct bpf_map *map, size_t entry_bytes)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	size_t bytes = (size_t)bpf_map__value_size(map) * bpf_map__max_entries(map);
	void *place;

	*table = (struct table){ .entry_bytes = entry_bytes,
				 .entries = (uint32_t)(bytes / entry_bytes),
				 .fd = bpf_map__fd(map) };
	table->bytes = round_up(bytes, page);
	table->piece_bytes = round_up(table->bytes / TABLE_PIECES + 1, page);
	if (table->piece_bytes < SMALLEST_PIECE_BYTES)
		table->piece_bytes = round_up(SMALLEST_PIECE_BYTES, page);
	place = mmap(NULL, table->bytes, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1,
		     0);
	if (place == MAP_FAILED)
		return -errno;
	table->at = place;
	return 0;
}

/* In the place that was taken for it: what points into the table stays true. */
static bool map_piece(struct table *table, size_t piece)
{
	size_t at = piece * table->piece_bytes;
	size_t bytes =
		table->bytes - at < table->piece_bytes ? table->bytes - at : table->piece_bytes;

	if (table->mapped[piece])
		return true;
	if (mmap(table->at + at, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, table->fd,
		 (off_t)at) == MAP_FAILED) {
		table->err = -errno;
		return false;
	}
	/* A child that cannot be ended (apart.c) shall not keep it. */
	madvise(table->at + at, bytes, MADV_DONTFORK);
	table->mapped[piece] = true;
	return true;
}

uint32_t table_reach(struct table *table, uint32_t begin, uint32_t end)
{
	size_t first, after;

	if (end > table->entries)
		end = table->entries;
	if (begin >= end)
		return end;
	first = begin * table->entry_bytes / table->piece_bytes;
	after = round_up(end * table->entry_bytes, table->piece_bytes) / table->piece_bytes;
	for (size_t piece = first; piece < after; piece++)
		if (!map_piece(table, piece))
			return (uint32_t)(piece * table->piece_bytes / table->entry_bytes);
	return end;
}

void table_close(struct table *table)
{
	if (table->at)
		munmap(table->at, table->bytes);
	memset(table, 0, sizeof(*table));
}
