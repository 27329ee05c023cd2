/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The end of a bio at a device of upper.bpf.c. */
#ifndef WHYSTALL_UPPER_BPF_H
#define WHYSTALL_UPPER_BPF_H

#include "rows.bpf.h"

/* Take a bio out of the table and return its row; NULL if it is not in it. */
static __always_inline struct io_row *upper_take(u64 address, struct upper_bio *bio)
{
	struct upper_bio *entry = bpf_map_lookup_elem(&upper_bios, &address);

	if (!entry)
		return NULL;
	*bio = *entry;
	if (bpf_map_delete_elem(&upper_bios, &address))
		return NULL; /* another CPU was faster */
	__sync_fetch_and_add(&upper_bios_now, -1);
	return bpf_map_lookup_elem(&rows, &bio->row);
}

int upper_end(u64 address, bool error);

/* A bio starts that is still in the table: its completion went unseen. The bytes are known. */
static __always_inline void upper_end_missed(u64 address)
{
	struct upper_bio bio;
	struct io_row *row = upper_take(address, &bio);

	if (!row)
		return;
	concurrency_end(row->reads, 0, 0);
	__sync_fetch_and_add(&loss.events_missed, 1);
	__sync_fetch_and_add(&row->requests, 1);
	__sync_fetch_and_add(&row->unissued, 1);
	__sync_fetch_and_add(&row->bytes, bio.bytes);
}

#endif
