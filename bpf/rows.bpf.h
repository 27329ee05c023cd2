/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The rows of what is counted: which one a bio is charged to, and how one is added to. */
#ifndef WHYSTALL_ROWS_BPF_H
#define WHYSTALL_ROWS_BPF_H

#include "concurrency.bpf.h"
#include "owner.bpf.h"

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
	REQ_OPS = REQ_OP_MASK + 1,
};

#define REQ_PREFLUSH (1u << bpf_core_enum_value(enum req_flag_bits, __REQ_PREFLUSH))

/*
 * As diskstats groups them: write zeroes and secure erase are writes to it, zone management and
 * passthrough commands nothing. IO_OPS: not counted. The kernel's shared flush request (REQ_OP_FLUSH)
 * belongs to nobody: those that wait for it are the empty PREFLUSH writes, counted each for itself.
 *
 * A table, with what is left to IO_OPS, and not a switch: the verifier would follow each operation on its own
 * from here on.
 */
static const u8 below_io_ops[REQ_OPS] = {
	[REQ_OP_READ] = IO_OPS - IO_READ,         [REQ_OP_WRITE] = IO_OPS - IO_WRITE,
	[REQ_OP_DISCARD] = IO_OPS - IO_DISCARD,   [REQ_OP_SECURE_ERASE] = IO_OPS - IO_WRITE,
	[REQ_OP_ZONE_APPEND] = IO_OPS - IO_WRITE, [REQ_OP_WRITE_ZEROES] = IO_OPS - IO_WRITE,
};

static __always_inline u32 op_of(u32 flags, u32 bytes)
{
	if (!bytes && (flags & REQ_OP_MASK) == REQ_OP_WRITE && (flags & REQ_PREFLUSH))
		return IO_FLUSH;
	return IO_OPS - below_io_ops[flags & REQ_OP_MASK];
}

/* 0 without a disk: whatever is read there is 0. */
static __always_inline u32 device_of(const struct gendisk *disk)
{
	return (u32)disk->major << 20 | disk->first_minor;
}

/* The part of device_shown() for -D. */
u32 device_in_ranges(u32 disk, u64 sector, u32 flushed);

/*
 * The device that a request is shown under: its disk, or what -D says; 0 if that leaves it out. A flush
 * has no sector: it belongs to the partition that it was submitted to.
 */
static __always_inline u32 device_shown(u32 disk, u64 sector, struct bio *bio, u32 op)
{
	u32 flushed = 0;

	if (!config_devices)
		return disk;
	if (op == IO_FLUSH)
		flushed = BPF_CORE_READ(bio, bi_bdev, bd_dev);
	return device_in_ranges(disk, sector, flushed);
}

/*
 * The row of a key, made if it is the key's first request. When no row is free the request is counted
 * with others', and if there is none for that either, it is lost and counted as such.
 */
u32 row_find(const struct io_key *key);
u32 row_or_folded(struct io_key *key);

/*
 * Does the device of the bio at this address serve one above, which counts the bytes too? (A device that md,
 * dm or bcache holds has them in its sysfs folder "holders"; the paths of a multipath NVMe drive are hidden.)
 */
bool is_lower(u64 bio);

/* Count the bio at this address for the file that its first page belongs to, if any. */
int file_add(u64 bio, u32 owner, u32 op);

/* The row of a bio whose submitter is not known as one of its own yet, or is a kernel thread; sets the key's owner. */
u32 row_of_stranger(u64 bio, u32 opf, struct io_key *key);

static __always_inline bool is_swap_write(u32 op, u32 opf)
{
	return op == IO_WRITE && is_swap(opf);
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

/*
 * The row that a bio is charged to, decided in its submitter's context; `device` 0: to none. Only what most
 * bios pass is here.
 */
static __always_inline u32 row_of_submitter(struct task_struct *current, struct bio *bio, u32 opf,
					    bool direct, u32 device, u32 op)
{
	struct io_key key = { .device = device, .op = op };
	struct task *task;
	u32 row;

	if (!device)
		return ROW_IGNORED;
	if (upper_attached)
		key.lower = is_lower(address_of(bio));
	task = task_known(current);
	if (task && !is_swap_write(op, opf)) {
		key.owner = task->owner;
		row = row_of_task(task, &key);
	} else {
		row = row_of_stranger(address_of(bio), opf, &key);
	}
	if (!key.lower && !direct && op <= IO_WRITE && key.owner >= OWNER_FIRST)
		file_add(address_of(bio), key.owner, op);
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

/* The part of raise_max() for a value that is above. */
int raise_max_to(u64 *max, u64 value);

static __always_inline void raise_max(u64 *max, u64 value)
{
	if (value > *max)
		raise_max_to(max, value);
}

static __always_inline void histogram_add(u64 *histogram, u64 ns)
{
	u64 i = histogram_index(ns);

	/* One register, which the verifier of 6.1 follows: not a copy for the comparison. */
	barrier_var(i);
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
