/* SPDX-License-Identifier: BSD-2-Clause */
/* All entries of a BPF hash, by a system call for hundreds of them. */
#ifndef WHYSTALL_COLLECT_BATCH_H
#define WHYSTALL_COLLECT_BATCH_H

#include <stddef.h>

struct bpf_map;

/* Where entries are copied to; begins as { 0 }. One serves for any map, and is kept from call to call. */
struct batch {
	char *buffer;
	size_t bytes;
};

/* What to do with an entry; anything but 0 ends the reading. */
typedef int batch_entry(void *context, const void *key, const void *value);

/*
 * Entries that come or go meanwhile are there or not, all others are there once. Returns 0, what `each` returned, or a
 * negative errno.
 */
int batch_read(struct batch *batch, const struct bpf_map *map, batch_entry *each, void *context);

void batch_free(struct batch *batch);

#endif
