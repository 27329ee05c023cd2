/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Differences between kernels, and nothing else. Each is resolved when the programs are loaded, by
 * what the kernel's BTF says, never by its version. What concerns whole tracepoints is probed by user
 * space (collect/features.c) and arrives as a knob of config.bpf.h:
 *
 *   config_has_filemap_fault  mm_filemap_fault came with v6.12 and tells the file of a page fault.
 *                        Before it, the last page that the fault adds to the page cache stands in.
 *   config_has_io_start  block_io_start came with 5a80bd075f3b ("block: introduce block_io_start/
 *                        block_io_done tracepoints", 6.5). Before it there is no event at Q that
 *                        knows the request; block_getrq and the bio's address stand in.
 */
#ifndef WHYSTALL_COMPAT_BPF_H
#define WHYSTALL_COMPAT_BPF_H

#include <bpf/bpf_core_read.h>

/*
 * A pointer as a number. The verifier looks at a function that is not static once, knowing nothing of its
 * arguments, and not once for each way that leads to it; such a function takes no pointers into the kernel.
 */
static __always_inline u64 address_of(const void *pointer)
{
	u64 address = 0;

	bpf_probe_read_kernel(&address, sizeof(address), &pointer);
	return address;
}

/* task_struct's on_cpu and on_rq became bytes in v7.0: read with the size that the kernel has. */
static __always_inline bool compat_on_cpu(struct task_struct *t)
{
	return BPF_CORE_READ_BITFIELD_PROBED(t, on_cpu);
}

static __always_inline bool compat_on_rq(struct task_struct *t)
{
	return BPF_CORE_READ_BITFIELD_PROBED(t, on_rq);
}

/* How long a thread has been waiting for a processor in all; 0 without CONFIG_SCHED_INFO. */
static __always_inline u64 run_delay(struct task_struct *t)
{
	return bpf_core_field_exists(t->sched_info) ? BPF_CORE_READ(t, sched_info.run_delay) : 0;
}

/* The mapping of a page added to the page cache. The tracepoint passes a folio since v5.16. */
static __always_inline struct address_space *added_mapping(struct folio *folio)
{
	if (bpf_core_type_exists(struct folio))
		return BPF_CORE_READ(folio, mapping);
	return BPF_CORE_READ((struct page *)folio, mapping);
}

/*
 * The first page of the folio that a page belongs to. A tail page says so in bit 0 of `compound_head`, whose
 * rest is that page's address; in v7.0 it became `compound_info`, whose rest may be a mask for
 * the tail page's own address instead: a value that no page's address comes near.
 */
struct page___v70 {
	unsigned long compound_info;
} __attribute__((preserve_access_index));

static __always_inline struct page *head_page(struct page *page)
{
	struct page___v70 *v70 = (void *)page;
	unsigned long info = 0;

	if (bpf_core_field_exists(page->compound_head))
		info = BPF_CORE_READ(page, compound_head);
	else if (bpf_core_field_exists(v70->compound_info))
		info = BPF_CORE_READ(v70, compound_info);
	if (!(info & 1))
		return page;
	if (info >> 32 == 0xffffffff)
		return (struct page *)((unsigned long)page & info);
	return (struct page *)(info - 1);
}

/* What the folio of a page is mapped to; the low two bits are flags. */
static __always_inline unsigned long page_mapping_bits(struct page *page)
{
	page = head_page(page);
	if (bpf_core_type_exists(struct folio))
		return (unsigned long)BPF_CORE_READ((struct folio *)page, mapping);
	return (unsigned long)BPF_CORE_READ(page, mapping);
}

/* GENHD_FL_HIDDEN: bit 1 since "block: renumber and clean up the GENHD_FL_ flags" (v5.17). */
static __always_inline bool is_hidden(struct gendisk *disk)
{
	return BPF_CORE_READ(disk, flags) & (1 << 1);
}

/*
 * Is this surely direct I/O? Bit 0 of bi_flags says since v6.5 that pages of a user are pinned
 * (BIO_PAGE_PINNED), before that the bio holds no references to its pages (BIO_NO_PAGE_REF, of direct I/O
 * too). Direct I/O of older kernels does not have the bit.
 */
static __always_inline bool is_direct(u32 bi_flags)
{
	return bi_flags & 1;
}

/* A name of an inode; NULL if it has none in memory. `d_alias` left the union `d_u` by v7.3. */
struct dentry___v73 {
	struct hlist_node d_alias;
} __attribute__((preserve_access_index));

static __always_inline struct dentry *dentry_of(struct inode *inode)
{
	struct hlist_node *alias = BPF_CORE_READ(inode, i_dentry.first);

	if (!alias)
		return NULL;
	if (bpf_core_field_exists(struct dentry___v73, d_alias))
		return (void *)alias - bpf_core_field_offset(struct dentry___v73, d_alias);
	return (void *)alias - bpf_core_field_offset(struct dentry, d_u.d_alias);
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
 * When a writer to an inode's device was last held back because too much is dirty. It belongs to the device
 * since "writeback: move last_bdp_sleep into bdi" (v6.9), before to its part for one control group.
 */
static __always_inline unsigned long held_back_jiffies(struct inode *inode)
{
	struct backing_dev_info *bdi = BPF_CORE_READ(inode, i_sb, s_bdi);
	struct bdi_writeback *part = NULL;

	if (bpf_core_field_exists(bdi->last_bdp_sleep))
		return BPF_CORE_READ(bdi, last_bdp_sleep);
	if (bpf_core_field_exists(inode->i_wb))
		part = BPF_CORE_READ(inode, i_wb);
	return BPF_CORE_READ(part ? part : &bdi->wb, dirty_sleep);
}

/*
 * What a kernel thread keeps about itself. In `worker_private` since e32cf5dfbe22 ("kthread: Generalize
 * pf_io_worker so it can point to struct kthread", v5.17), before in a pointer of another purpose.
 */
static __always_inline struct kthread *kthread_of(struct task_struct *t)
{
	if (bpf_core_field_exists(t->worker_private))
		return BPF_CORE_READ(t, worker_private);
	return (struct kthread *)BPF_CORE_READ(t, set_child_tid);
}

/*
 * The file system mounted from a device, NULL if none. `bd_super` told until v6.5; since v6.6
 * ("fs: use the super_block as holder when mounting file systems") the holder is the superblock,
 * which points back. Others hold a device too, with pointers to other things.
 */
static __always_inline struct super_block *mounted_on(struct block_device *bdev)
{
	struct super_block *sb;

	if (bpf_core_field_exists(bdev->bd_super))
		return BPF_CORE_READ(bdev, bd_super);
	sb = BPF_CORE_READ(bdev, bd_holder);
	return sb && BPF_CORE_READ(sb, s_bdev) == bdev ? sb : NULL;
}

/*
 * The kernel keeps the time of Q in the request, if its queue has `iostats` on: RQF_IO_STAT says so, right after
 * block_io_start, since v6.11. 0: it does not.
 */
static __always_inline u64 start_stamp(struct request *rq)
{
	if (!bpf_core_enum_value_exists(enum rqf_flags, __RQF_IO_STAT))
		return 0;
	if (!(rq->rq_flags & 1u << bpf_core_enum_value(enum rqf_flags, __RQF_IO_STAT)))
		return 0;
	return rq->start_time_ns;
}

/*
 * Would the kernel read the clock now for that stamp? Since v6.9 ("block: cache current nsec time in struct blk_plug") a
 * task that plugs reads it once, and requests that it adds later have a stamp that is as old as the plug.
 */
static __always_inline bool stamps_are_exact(struct task_struct *t)
{
	struct blk_plug *plug = t->plug;

	if (!bpf_core_enum_value_exists(enum rqf_flags, __RQF_IO_STAT) ||
	    !bpf_core_field_exists(plug->cur_ktime))
		return false;
	return !plug || !plug->cur_ktime;
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
