/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Who is behind a bio that a kernel thread submits on somebody's behalf. */
#ifndef WHYSTALL_DEFERRED_BPF_H
#define WHYSTALL_DEFERRED_BPF_H

#include "owner.bpf.h"

/*
 * Private memory of a user: the process that touched the page first. Its area is in the tree of the
 * page's anon_vma, beside those of children forked since; only the own area points back to it. One
 * side of the tree is searched at a time: it holds a single area unless the process has forked.
 */
static __always_inline struct mm_struct *anon_page_mm(struct anon_vma *anon_vma)
{
	struct rb_node *node = BPF_CORE_READ(anon_vma, rb_root.rb_root.rb_node);
	struct rb_node *right = BPF_CORE_READ(node, rb_right);

	for (int i = 0; i < 24; i++) {
		struct vm_area_struct *vma;
		struct anon_vma_chain *avc;

		if (!node) {
			node = right;
			right = NULL;
			if (!node)
				break;
		}
		avc = (void *)node - bpf_core_field_offset(struct anon_vma_chain, rb);
		vma = BPF_CORE_READ(avc, vma);
		if (BPF_CORE_READ(vma, anon_vma) == anon_vma)
			return BPF_CORE_READ(vma, vm_mm);
		node = BPF_CORE_READ(node, rb_left);
	}
	return NULL;
}

/* The row `[cgroup NAME]`; unknown for the root, which says nothing. */
static __always_inline u32 owner_of_cgroup(struct bio *bio)
{
	struct cgroup *cgroup = bio_cgroup(bio);
	struct owner *o;
	u32 *found, index;
	u64 id;

	if (!cgroup || BPF_CORE_READ(cgroup, level) == 0)
		return OWNER_UNKNOWN;
	id = BPF_CORE_READ(cgroup, kn, id);
	found = bpf_map_lookup_elem(&owner_by_cgroup, &id);
	if (found)
		return *found;
	o = owner_take(&index, OWNER_CGROUP);
	if (!o)
		return OWNER_UNKNOWN;
	o->cgroup_id = id;
	bpf_probe_read_kernel_str(o->cmdline, sizeof(o->cmdline), BPF_CORE_READ(cgroup, kn, name));
	if (bpf_map_update_elem(&owner_by_cgroup, &id, &index, BPF_NOEXIST)) {
		owner_give_back(index, o);
		found = bpf_map_lookup_elem(&owner_by_cgroup, &id);
		return found ? *found : OWNER_UNKNOWN;
	}
	return index;
}

static __always_inline struct page *bio_first_page(struct bio *bio)
{
	struct bio_vec *vec = BPF_CORE_READ(bio, bi_io_vec);
	u32 index = BPF_CORE_READ(bio, bi_iter.bi_idx);

	vec = (void *)vec + index * bpf_core_type_size(struct bio_vec);
	return BPF_CORE_READ(vec, bv_page);
}

/* Who last added pages to the file's cache, see owner.bpf.c. */
static __always_inline u32 owner_of_pages(struct address_space *mapping)
{
	u64 inode = (u64)BPF_CORE_READ(mapping, host);
	struct reader *reader = bpf_map_lookup_elem(&inode_readers, &inode);
	struct owner *o;

	if (!reader)
		return OWNER_UNKNOWN;
	if (reader->owner < OWNER_FIRST)
		return reader->owner;
	o = owner_get(reader->owner);
	return o && o->start_boot_ns == reader->start_boot_ns ? reader->owner : OWNER_UNKNOWN;
}

/*
 * The owner of a bio that a kernel thread submits. The common case is a bio held back by blk-throttle
 * or io.max: a kworker submits it later, and then `current` says nothing (48 MB of a throttled read:
 * 43 MB came from a kworker). The bio's first page still leads to who asked:
 *   - memory of a process: direct I/O of that process;
 *   - a page of a file, on a read: who last added pages to that file's cache;
 *   - otherwise the bio's cgroup, or nobody.
 * A page of a file on a write is writeback: whoever submits it is not who wrote the data.
 */
static __noinline u32 owner_behind(struct bio *bio, u32 op, u16 *cause)
{
	unsigned long mapping = 0;
	u32 index = OWNER_UNKNOWN;

	if (is_swap(BPF_CORE_READ(bio, bi_opf)))
		return OWNER_UNKNOWN; /* the kernel's choice of page, not the page's owner's I/O */
	if (op == IO_READ || op == IO_WRITE)
		mapping = page_mapping_bits(bio_first_page(bio));
	if ((mapping & 3) == 1) {
		struct mm_struct *mm = anon_page_mm((struct anon_vma *)(mapping - 1));
		struct task_struct *leader = mm_leader(mm);

		if (leader)
			index = owner_of_process(leader);
	} else if (mapping && !(mapping & 3)) {
		if (op == IO_WRITE) {
			*cause = CAUSE_WRITEBACK;
			return OWNER_UNKNOWN;
		}
		index = owner_of_pages((struct address_space *)mapping);
	}
	return index != OWNER_UNKNOWN ? index : owner_of_cgroup(bio);
}

#endif
