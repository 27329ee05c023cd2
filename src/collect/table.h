/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A table that BPF fills, an array by index, mapped into this process as far as it is in use: the kernel makes all pages of
 * such a mapping resident at once, and of tables that have room for thousands most hosts need a hundredth.
 */
#ifndef WHYSTALL_COLLECT_TABLE_H
#define WHYSTALL_COLLECT_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bpf_map;

enum { TABLE_PIECES = 256 };

struct table {
	char *at; /* of its first entry, for as long as the table is open */
	size_t bytes;
	size_t entry_bytes;
	size_t piece_bytes; /* mapped at a time */
	uint32_t entries;
	int fd;
	bool mapped[TABLE_PIECES];
	int err; /* of the last piece that could not be mapped */
};

/* Take a place for the map, seen as entries of so many bytes; none can be reached yet. Returns 0 or a negative errno. */
int table_open(struct table *table, const struct bpf_map *map, size_t entry_bytes);

/*
 * Reach the entries [begin, end), as far as the table goes. Returns the end of those that can be reached: it is less than
 * asked for, and `err` is set, when the kernel has no memory. Entries that have not been reached read as zeros, which is to
 * say free, and may not be written.
 */
uint32_t table_reach(struct table *table, uint32_t begin, uint32_t end);

void table_close(struct table *table);

#endif
