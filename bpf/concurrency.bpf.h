/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Latency by concurrency: does a place serve several reads at a time, or one after the other? */
#ifndef WHYSTALL_CONCURRENCY_BPF_H
#define WHYSTALL_CONCURRENCY_BPF_H

#include "config.bpf.h"
#include "maps.bpf.h"

/* The place of a file system or device: its index + 1; 0 when there is no room. */
static __always_inline u32 concurrency_find(u32 kind, u32 number)
{
	u64 key = (u64)kind << 32 | number;
	u32 *found = bpf_map_lookup_elem(&concurrency_by_number, &key);
	struct concurrency *c;
	u32 index;

	if (found)
		return *found + 1;
	if (concurrency_used >= MAX_CONCURRENCY)
		return 0;
	index = __sync_fetch_and_add(&concurrency_used, 1);
	c = bpf_map_lookup_elem(&concurrency, &index);
	if (!c)
		return 0;
	c->kind = kind;
	c->number = number;
	/* When another CPU was faster this one stays behind, empty. */
	bpf_map_update_elem(&concurrency_by_number, &key, &index, BPF_NOEXIST);
	found = bpf_map_lookup_elem(&concurrency_by_number, &key);
	return found ? *found + 1 : 0;
}

static __always_inline struct concurrency *concurrency_get(u32 place)
{
	u32 index = place - 1;

	return place ? bpf_map_lookup_elem(&concurrency, &index) : NULL;
}

/* A read begins. Returns how many others are in flight. */
static __always_inline u32 concurrency_begin(u32 place)
{
	struct concurrency *c = concurrency_get(place);
	s64 others = c ? __sync_fetch_and_add(&c->now, 1) : 0;

	return others > 0 ? others : 0;
}

/* It has ended after `ns`; 0: as part of another one, or nobody knows when. */
static __always_inline void concurrency_end(u32 place, u32 beside, u64 ns)
{
	struct concurrency *c = concurrency_get(place);

	if (!c)
		return;
	__sync_fetch_and_add(&c->now, -1);
	if (!ns)
		return;
	if (beside >= CONCURRENCY_CLASSES)
		beside = CONCURRENCY_CLASSES - 1;
	__sync_fetch_and_add(&c->count[beside], 1);
	__sync_fetch_and_add(&c->ns[beside], ns);
}

#endif
