// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/* What it takes to charge a bio that does not go the short way of rows.bpf.h. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include "abi.h"
#include "deferred.bpf.h"
#include "files.bpf.h"
#include "pages.bpf.h"
#include "rows.bpf.h"

__noinline u32 device_in_ranges(u32 disk, u64 sector, u32 flushed)
{
	struct device_ranges *ranges = bpf_map_lookup_elem(&device_ranges, &disk);

	for (int i = 0; ranges && i < MAX_RANGES; i++) {
		struct device_range *range = &ranges->list[i];

		if (flushed ? range->shown == flushed || range->shown == disk :
			      sector >= range->begin && sector < range->end)
			return range->shown;
	}
	return 0;
}

/* A few tries, since another CPU may raise it too. */
__noinline int raise_max_to(u64 *max, u64 value)
{
	u64 seen;

	if (!max)
		return 0;
	seen = *max;
	for (int i = 0; i < 4 && value > seen; i++) {
		u64 before = __sync_val_compare_and_swap(max, seen, value);

		if (before == seen)
			break;
		seen = before;
	}
	return 0;
}

/* An index for a new row, ROW_NONE if there is none. */
static __always_inline u32 row_take(bool reserved)
{
	u32 index;

	if (reserved) {
		if (reserved_rows_used >= RESERVED_ROWS)
			return ROW_NONE;
		index = __sync_fetch_and_add(&reserved_rows_used, 1);
		return index < RESERVED_ROWS ? index : ROW_NONE;
	}
	if (!bpf_map_pop_elem(&free_rows, &index))
		return index;
	if (rows_used >= config_max_rows)
		return ROW_NONE;
	index = __sync_fetch_and_add(&rows_used, 1);
	return index < config_max_rows ? index : ROW_NONE;
}

__noinline u32 row_find(const struct io_key *wanted)
{
	struct io_key own, *key = &own; /* on the stack: 6.1 takes a key from nowhere else */
	struct io_row *row;
	u32 *found, index;

	if (!wanted)
		return ROW_NONE;
	own = *wanted;
	found = bpf_map_lookup_elem(&row_by_key, key);
	if (found)
		return *found;
	index = row_take(key->owner < OWNER_FIRST);
	row = bpf_map_lookup_elem(&rows, &index);
	if (!row)
		return ROW_NONE;
	row->key = *key;
	row->reads = 0;
	if (config_ledger && key->op == IO_READ && key->owner >= OWNER_FIRST)
		row->reads = concurrency_find(CONCURRENCY_DEVICE, key->device);
	row->live = 1;
	if (!bpf_map_update_elem(&row_by_key, key, &index, BPF_NOEXIST))
		return index;
	/* Another CPU was faster. A reserved row is not worth a list of free ones: it stays empty. */
	row->live = 0;
	if (key->owner >= OWNER_FIRST)
		bpf_map_push_elem(&free_rows, &index, BPF_ANY);
	found = bpf_map_lookup_elem(&row_by_key, key);
	return found ? *found : ROW_NONE;
}

__noinline u32 row_or_folded(struct io_key *key)
{
	struct owner *o;
	u32 index;

	if (!key)
		return ROW_NONE;
	index = row_find(key);
	if (index == ROW_NONE) {
		key->owner = OWNER_FOLDED;
		index = row_find(key);
	}
	if (index == ROW_NONE) {
		__sync_fetch_and_add(&loss.requests_untracked, 1);
		return index;
	}
	o = config_ledger ? owner_get(key->owner) : NULL;
	if (o)
		o->rows[(key->device + key->op) % OWNER_ROWS] = index + 1;
	return index;
}

/* Nothing but the disk itself tells the name of a hidden one. */
static __noinline void note_hidden(struct gendisk *disk)
{
	u32 device = BPF_CORE_READ(disk, major) << 20 | BPF_CORE_READ(disk, first_minor);
	struct disk_name name;

	if (bpf_map_lookup_elem(&hidden_disks, &device))
		return;
	bpf_core_read(&name, sizeof(name), &disk->disk_name);
	bpf_map_update_elem(&hidden_disks, &device, &name, BPF_ANY);
}

__noinline bool is_lower(u64 address)
{
	struct bio *bio = (void *)address;
	struct block_device *bdev = BPF_CORE_READ(bio, bi_bdev);
	struct gendisk *disk;

	if (BPF_CORE_READ(bdev, bd_holder_dir, sd, dir.children.rb_node))
		return true;
	disk = BPF_CORE_READ(bdev, bd_disk);
	if (!is_hidden(disk))
		return false;
	note_hidden(disk);
	return true;
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

__noinline int file_add(u64 address, u32 owner, u32 op)
{
	struct bio *bio = (void *)address;
	struct inode *inode = inode_of_mapping(page_mapping_bits(bio_first_page(bio)));
	struct file_row *file;
	u32 bytes, index;

	if (!inode || (BPF_CORE_READ(inode, i_mode) & S_IFMT) != S_IFREG ||
	    !is_on_device(inode, bio))
		return 0;
	index = file_find((u64)inode, owner, op);
	file = bpf_map_lookup_elem(&files, &index);
	if (!file) {
		__sync_fetch_and_add(&loss.files_dropped, 1);
		return 0;
	}
	bytes = BPF_CORE_READ(bio, bi_iter.bi_size);
	__sync_fetch_and_add(op == IO_READ ? &file->read_bytes : &file->write_bytes, bytes);
	return 0;
}

__noinline u32 row_of_stranger(u64 bio, u32 opf, struct io_key *key)
{
	struct task_struct *t = bpf_get_current_task_btf();
	struct task *task = task_current();

	if (!key)
		return ROW_NONE;
	if (task && !is_swap_write(key->op, opf)) {
		key->owner = task->owner;
		return row_of_task(task, key);
	}
	if (task)
		key->owner = owner_of_swap(); /* it needs memory, and takes anybody's */
	else if (is_kernel_thread(t))
		owner_behind(bio, key);
	else
		key->owner = owner_of_process((u64)BPF_CORE_READ(t, group_leader));
	return row_or_folded(key);
}
