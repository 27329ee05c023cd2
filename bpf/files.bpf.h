/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Which files an owner's requests were for, where a cached page tells. */
#ifndef WHYSTALL_FILES_BPF_H
#define WHYSTALL_FILES_BPF_H

#include "deferred.bpf.h"

enum { MAX_PATH_DEPTH = 24 };

/* The last quarter is for written files: checkpoints must not find the table full of samples. */
static __always_inline u32 max_files(u32 op)
{
	return op == IO_READ ? config_max_files / 4 * 3 : config_max_files;
}

/* Copy an inode's name and the names above it. */
static __always_inline void file_copy_names(struct file_row *file, struct inode *inode)
{
	struct dentry *dentry = dentry_of(inode);
	u32 used = 0;

	if (!dentry)
		return;
	for (int i = 0; i < MAX_PATH_DEPTH; i++) {
		struct dentry *parent = BPF_CORE_READ(dentry, d_parent);
		long len;

		if (!parent || parent == dentry) {
			file->whole = parent != NULL;
			break;
		}
		if (used > FILE_NAMES_FULL)
			break;
		len = bpf_probe_read_kernel_str(file->names + used,
						FILE_NAMES_LEN - FILE_NAMES_FULL,
						BPF_CORE_READ(dentry, d_name.name));
		if (len < 0)
			break;
		used += len;
		dentry = parent;
	}
	file->names_len = used;
}

/* The row of a file and an owner, made if it is their first request; NULL when there is no room. */
static __noinline struct file_row *file_find(struct inode *inode, u32 owner, u32 op)
{
	struct file_key key = { .owner = owner };
	struct file_row *file;
	struct owner *o;
	u32 *found, index;

	key.inode_number = BPF_CORE_READ(inode, i_ino);
	key.generation = BPF_CORE_READ(inode, i_generation);
	key.file_system = BPF_CORE_READ(inode, i_sb, s_dev);
	found = bpf_map_lookup_elem(&file_by_key, &key);
	if (found) {
		file = bpf_map_lookup_elem(&files, found);
		/* It may have had no name in memory before. */
		if (file && !file->names_len)
			file_copy_names(file, inode);
		return file;
	}
	if (files_used >= max_files(op))
		return NULL;
	index = __sync_fetch_and_add(&files_used, 1);
	file = bpf_map_lookup_elem(&files, &index);
	if (!file)
		return NULL;
	o = owner_get(owner);
	if (o)
		file->owner_start_boot_ns = o->start_boot_ns;
	file->owner = owner;
	file->file_system = key.file_system;
	file_copy_names(file, inode);
	/* When another CPU was faster this row stays behind, empty. */
	bpf_map_update_elem(&file_by_key, &key, &index, BPF_NOEXIST);
	found = bpf_map_lookup_elem(&file_by_key, &key);
	return found ? bpf_map_lookup_elem(&files, found) : NULL;
}

/*
 * Is the inode one of a file system on the bio's device? Direct I/O may have a mapped file as its memory.
 * (btrfs has several devices, and names none.)
 */
static __always_inline bool is_on_device(struct inode *inode, struct bio *bio)
{
	struct super_block *sb = BPF_CORE_READ(inode, i_sb);
	struct block_device *bdev = BPF_CORE_READ(sb, s_bdev);

	if (!bdev)
		return BPF_CORE_READ(sb, s_magic) == BTRFS_SUPER_MAGIC;
	return BPF_CORE_READ(bdev, bd_disk) == BPF_CORE_READ(bio, bi_bdev, bd_disk);
}

static __noinline void file_add_cached(struct bio *bio, u32 owner, u32 op)
{
	struct inode *inode = inode_of_mapping(page_mapping_bits(bio_first_page(bio)));
	struct file_row *file;
	u32 bytes;

	if (!inode || (BPF_CORE_READ(inode, i_mode) & S_IFMT) != S_IFREG ||
	    !is_on_device(inode, bio))
		return;
	file = file_find(inode, owner, op);
	if (!file) {
		__sync_fetch_and_add(&loss.files_dropped, 1);
		return;
	}
	bytes = BPF_CORE_READ(bio, bi_iter.bi_size);
	__sync_fetch_and_add(op == IO_READ ? &file->read_bytes : &file->write_bytes, bytes);
}

/* Count a bio for the file that its first page belongs to. */
static __always_inline void file_add(struct bio *bio, u32 owner, u32 op)
{
	if (owner >= OWNER_FIRST && op <= IO_WRITE && !is_direct(bio))
		file_add_cached(bio, owner, op);
}

#endif
