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

/*
 * What the folio of a page is mapped to; the low two bits are flags. 0, as for a page without mapping,
 * where the kernel finds the head of a folio in another way than by `compound_head`.
 */
static __always_inline unsigned long page_mapping_bits(struct page *page)
{
	unsigned long head;

	if (!bpf_core_field_exists(page->compound_head))
		return 0;
	head = BPF_CORE_READ(page, compound_head);
	if (head & 1)
		page = (struct page *)(head - 1);
	if (bpf_core_type_exists(struct folio))
		return (unsigned long)BPF_CORE_READ((struct folio *)page, mapping);
	return (unsigned long)BPF_CORE_READ(page, mapping);
}

/* The control group that a bio is charged to; NULL without CONFIG_BLK_CGROUP. */
static __always_inline struct cgroup *bio_cgroup(struct bio *bio)
{
	if (!bpf_core_field_exists(bio->bi_blkg))
		return NULL;
	return BPF_CORE_READ(bio, bi_blkg, blkcg, css.cgroup);
}

/* The leader of the process that memory belongs to; NULL without CONFIG_MEMCG. */
static __always_inline struct task_struct *mm_leader(struct mm_struct *mm)
{
	if (!bpf_core_field_exists(mm->owner))
		return NULL;
	return BPF_CORE_READ(mm, owner, group_leader);
}

/* Is it a page of swap? Kernels before 5.18 have no such flag and show it as direct I/O. */
static __always_inline bool is_swap(unsigned int opf)
{
	return bpf_core_enum_value_exists(enum req_flag_bits, __REQ_SWAP) &&
	       (opf & (1u << bpf_core_enum_value(enum req_flag_bits, __REQ_SWAP)));
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
