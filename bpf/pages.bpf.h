/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* From a bio to the inode that its first page belongs to. */
#ifndef WHYSTALL_PAGES_BPF_H
#define WHYSTALL_PAGES_BPF_H

#include "compat.bpf.h"

static __always_inline struct page *bio_first_page(struct bio *bio)
{
	struct bio_vec *vec = BPF_CORE_READ(bio, bi_io_vec);
	u32 index = BPF_CORE_READ(bio, bi_iter.bi_idx);

	vec = (void *)vec + index * bpf_core_type_size(struct bio_vec);
	return BPF_CORE_READ(vec, bv_page);
}

/*
 * The inode of what page_mapping_bits() returned; NULL if it is of none. A page may hold other things in
 * its place (slab memory, of which xfs has its smaller buffers): only an inode points back.
 */
static __always_inline struct inode *inode_of_mapping(unsigned long bits)
{
	struct address_space *mapping = (void *)bits;
	struct inode *inode;

	if (!bits || bits & 3)
		return NULL;
	inode = BPF_CORE_READ(mapping, host);
	return BPF_CORE_READ(inode, i_mapping) == mapping ? inode : NULL;
}

#endif
