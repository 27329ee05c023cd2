/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Differences between kernels, and nothing else. Each is resolved when the programs are loaded, by
 * what the kernel's BTF says, never by its version. What concerns whole tracepoints is probed by user
 * space (collect/features.c) and arrives as a knob of config.bpf.h:
 *
 *   config_has_io_start  block_io_start came with 5a80bd075f3b ("block: introduce block_io_start/
 *                        block_io_done tracepoints", 6.5). Before it there is no event at Q that
 *                        knows the request; block_getrq and the bio's address stand in.
 */
#ifndef WHYSTALL_COMPAT_BPF_H
#define WHYSTALL_COMPAT_BPF_H

#include <bpf/bpf_core_read.h>

/* The mapping of a page added to the page cache. The tracepoint passes a folio since v5.16. */
static __always_inline struct address_space *added_mapping(struct folio *folio)
{
	if (bpf_core_type_exists(struct folio))
		return folio->mapping;
	return BPF_CORE_READ((struct page *)folio, mapping);
}

/* What the first page of a tail or head page's folio is mapped to; the low two bits are flags. */
static __always_inline unsigned long page_mapping_bits(struct page *page)
{
	unsigned long head = BPF_CORE_READ(page, compound_head);

	if (head & 1)
		page = (struct page *)(head - 1);
	return (unsigned long)BPF_CORE_READ(page, mapping);
}

/*
 * Call `step` with 0, 1, ... and `context` until it returns 1, at most `most` times. bpf_loop() came with
 * e6f2dd0f8067 ("bpf: Add bpf_loop helper", v5.17); the verifier looks at its body once, not once per
 * round (all programs: 350 ms to load with plain loops of 256 rounds, 90 ms with it). Before it, fewer
 * rounds must do.
 */
#define REPEAT(most, step, context)                                                           \
	do {                                                                                  \
		if (bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_loop))              \
			bpf_loop(most, step, context, 0);                                     \
		else                                                                          \
			for (u32 round_ = 0; round_ < 32 && !step(round_, context); round_++) \
				;                                                             \
	} while (0)

/*
 * Give a place in the table back. The reads before must not be delayed past the store: x86 never
 * does, elsewhere an atomic exchange is the barrier that BPF has.
 */
static __always_inline void release_store(u64 *p)
{
#ifdef __TARGET_ARCH_x86
	asm volatile("" ::: "memory");
	*(volatile u64 *)p = 0;
#else
	__sync_lock_test_and_set(p, 0);
#endif
}

#endif
