/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The rows of what is counted: which one a bio is charged to, and how one is added to. */
#ifndef WHYSTALL_ROWS_BPF_H
#define WHYSTALL_ROWS_BPF_H

#include "deferred.bpf.h"
#include "files.bpf.h"

/* include/linux/blk_types.h: enum req_op, the same numbers since 4.10 */
enum {
	REQ_OP_MASK = 0xff,
	REQ_OP_READ = 0,
	REQ_OP_WRITE = 1,
	REQ_OP_FLUSH = 2,
	REQ_OP_DISCARD = 3,
	REQ_OP_SECURE_ERASE = 5,
	REQ_OP_ZONE_APPEND = 7,
	REQ_OP_WRITE_ZEROES = 9,
};

#define REQ_PREFLUSH (1u << bpf_core_enum_value(enum req_flag_bits, __REQ_PREFLUSH))

/*
 * As diskstats groups them: write zeroes and secure erase are writes to it, zone management and
 * passthrough commands nothing. IO_OPS: not counted. The kernel's shared flush request (REQ_OP_FLUSH)
 * belongs to nobody: those that wait for it are the empty PREFLUSH writes, counted each for itself.
 */
static __always_inline u32 op_of(u32 flags, u32 bytes)
{
	switch (flags & REQ_OP_MASK) {
	case REQ_OP_READ:
		return IO_READ;
	case REQ_OP_WRITE:
		return bytes == 0 && (flags & REQ_PREFLUSH) ? IO_FLUSH : IO_WRITE;
	case REQ_OP_SECURE_ERASE:
	case REQ_OP_ZONE_APPEND:
	case REQ_OP_WRITE_ZEROES:
		return IO_WRITE;
	case REQ_OP_DISCARD:
		return IO_DISCARD;
	default:
		return IO_OPS;
	}
}

static __always_inline u32 device_of(const struct gendisk *disk)
{
	return disk ? (u32)disk->major << 20 | disk->first_minor : 0;
}

/*
 * The device that a request is shown under: its disk, or what -D says; 0 if that leaves it out. A flush
 * has no sector: it belongs to the partition that it was submitted to.
 */
static __noinline u32 device_in_ranges(u32 disk, u64 sector, u32 flushed)
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

static __always_inline u32 device_shown(u32 disk, u64 sector, struct bio *bio, u32 op)
{
	u32 flushed = 0;

	if (!config_devices)
		return disk;
	if (op == IO_FLUSH)
		flushed = BPF_CORE_READ(bio, bi_bdev, bd_dev);
	return device_in_ranges(disk, sector, flushed);
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

/*
 * The row of a key, made if it is the key's first request. When no row is free the request is counted
 * with others', and if there is none for that either, it is lost and counted as such.
 */
static __noinline u32 row_find(const struct io_key *key)
{
	u32 *found = bpf_map_lookup_elem(&row_by_key, key);
	struct io_row *row;
	u32 index;

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

static __noinline u32 row_or_folded(struct io_key *key)
{
	u32 index = row_find(key);
	struct owner *o;

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

/*
 * Does this bio's device serve one above, which counts the bytes too? (A device that md, dm or bcache
 * holds has them in its sysfs folder "holders"; the paths of a multipath NVMe drive are hidden.)
 */
static __always_inline bool is_lower(struct bio *bio)
{
	struct block_device *bdev = bio->bi_bdev;
	struct gendisk *disk;

	if (!upper_attached)
		return false;
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

static __noinline void file_add_cached(struct bio *bio, u32 owner, u32 op)
{
	struct inode *inode = inode_of_mapping(page_mapping_bits(bio_first_page(bio)));
	struct file_row *file;
	u32 bytes, index;

	if (!inode || (BPF_CORE_READ(inode, i_mode) & S_IFMT) != S_IFREG ||
	    !is_on_device(inode, bio))
		return;
	index = file_find(inode, owner, op);
	file = bpf_map_lookup_elem(&files, &index);
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

/* A task's bio: its row is most often one of the last that it used. */
static __always_inline u32 row_of_task(struct task *task, struct io_key *key)
{
	u64 tag = (u64)key->device << 8 | key->lower << 4 | (key->op + 1);
	struct task_row *cached = &task->rows[(key->device + key->op) % TASK_ROWS];
	u32 row;

	if (cached->tag == tag)
		return cached->row;
	row = row_or_folded(key);
	if (row != ROW_NONE) {
		cached->tag = tag;
		cached->row = row;
	}
	return row;
}

/* The row that a bio is charged to, decided in its submitter's context; `device` 0: to none. */
static __always_inline u32 row_of_submitter(struct bio *bio, u32 device, u32 op)
{
	struct io_key key = { .device = device, .op = op };
	struct task_struct *t = bpf_get_current_task_btf();
	struct task *task;
	u32 row;

	if (!device)
		return ROW_IGNORED;
	key.lower = is_lower(bio);
	task = task_current();
	if (task && !(op == IO_WRITE && is_swap(bio->bi_opf))) {
		key.owner = task->owner;
		row = row_of_task(task, &key);
	} else {
		if (task)
			key.owner = owner_of_swap(); /* it needs memory, and takes anybody's */
		else if (is_kernel_thread(t))
			owner_behind(bio, &key);
		else
			key.owner = owner_of_process(t->group_leader);
		row = row_or_folded(&key);
	}
	if (!key.lower)
		file_add(bio, key.owner, op);
	return row;
}

/* A request of the row has started. Returns how many of the job's reads are in flight on its device. */
static __always_inline u32 row_start(u32 index)
{
	struct io_row *row = config_ledger ? bpf_map_lookup_elem(&rows, &index) : NULL;

	if (!row)
		return 0;
	__sync_fetch_and_add(&row->started, 1);
	return concurrency_begin(row->reads);
}

/* One that has started goes on as part of another one, or never did. */
static __always_inline void row_unstart(u32 index)
{
	struct io_row *row = config_ledger ? bpf_map_lookup_elem(&rows, &index) : NULL;

	if (!row)
		return;
	__sync_fetch_and_add(&row->started, -1);
	concurrency_end(row->reads, 0, 0);
}

static __always_inline void row_add_bytes(u32 index, u32 bytes)
{
	struct io_row *row = bpf_map_lookup_elem(&rows, &index);

	if (row)
		__sync_fetch_and_add(&row->bytes, bytes);
}

static __always_inline void raise_max(u64 *max, u64 value)
{
	u64 seen = *max;

	/* Rarely more than a comparison; a few tries, since another CPU may raise it too. */
	for (int i = 0; i < 4 && value > seen; i++) {
		u64 before = __sync_val_compare_and_swap(max, seen, value);

		if (before == seen)
			break;
		seen = before;
	}
}

static __always_inline void histogram_add(u64 *histogram, u64 ns)
{
	u32 i = histogram_index(ns);

	if (i < HISTOGRAM_BUCKETS)
		__sync_fetch_and_add(&histogram[i], 1);
}

static __always_inline void row_add_device_latency(struct io_row *row, u64 ns)
{
	__sync_fetch_and_add(&row->device_ns, ns);
	histogram_add(row->device, ns);
	raise_max(&row->device_max_ns, ns);
}

#endif
