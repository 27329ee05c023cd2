/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What io_uring's workers wait for, and a thread that waits for a ring. */
#ifndef WHYSTALL_URING_BPF_H
#define WHYSTALL_URING_BPF_H

#include "descriptors.bpf.h"

/* Buckets of requests that wait for a descriptor to become ready; the kernel makes up to 256. */
enum { MAX_RING_BUCKETS = 256 };

static __always_inline u32 state_of_opcode(u32 opcode)
{
	switch (opcode) {
	case IORING_OP_READV:
	case IORING_OP_READ_FIXED:
	case IORING_OP_READ:
	case IORING_OP_RECV:
	case IORING_OP_RECVMSG:
	case IORING_OP_ACCEPT:
	case IORING_OP_CONNECT:
		return LEDGER_STORAGE_READ;
	case IORING_OP_WRITEV:
	case IORING_OP_WRITE_FIXED:
	case IORING_OP_WRITE:
	case IORING_OP_FALLOCATE:
	case IORING_OP_SPLICE:
	case IORING_OP_SEND:
	case IORING_OP_SENDMSG:
		return LEDGER_STORAGE_WRITE;
	case IORING_OP_FSYNC:
	case IORING_OP_SYNC_FILE_RANGE:
		return LEDGER_FSYNC;
	default:
		return LEDGER_STORAGE_META;
	}
}

static __always_inline struct io_kiocb *request_of_worker(struct task_struct *t)
{
	struct io_worker *worker = BPF_CORE_READ(t, worker_private);
	struct io_wq_work *work = BPF_CORE_READ(worker, cur_work);

	return work ? (void *)work - bpf_core_field_offset(struct io_kiocb, work) : NULL;
}

/* A worker of io_uring is asleep: in a request, or without one. */
static __noinline void sleep_of_worker(struct task_struct *t, struct sleep *sleep)
{
	struct io_kiocb *request = request_of_worker(t);
	struct file *file = request ? BPF_CORE_READ(request, file) : NULL;
	u32 what;

	if (!request) {
		sleep->state = LEDGER_IDLE;
		return;
	}
	sleep->state = state_of_opcode(BPF_CORE_READ(request, opcode));
	if (!file)
		return;
	what = file_kind(file);
	sleep->state = state_of_file(what, sleep->state);
	if (what == FD_STORAGE)
		sleep->inode = inode_of(file);
}

struct ring_walk {
	void *buckets;
	u32 count;
	u32 kinds; /* of the descriptors that are waited for */
};

static long step_ring(u32 index, struct ring_walk *walk)
{
	struct io_hash_bucket *bucket;
	struct hlist_node *node;
	struct io_kiocb *request;
	struct file *file;

	if (index >= walk->count)
		return 1;
	bucket = walk->buckets + index * bpf_core_type_size(struct io_hash_bucket);
	node = BPF_CORE_READ(bucket, list.first);
	if (!node)
		return 0;
	request = (void *)node - bpf_core_field_offset(struct io_kiocb, hash_node);
	file = BPF_CORE_READ(request, file);
	if (file)
		walk->kinds |= file_kind(file);
	return (walk->kinds & FD_INET) != 0;
}

static __always_inline void ring_walk_table(struct ring_walk *walk, struct io_hash_table *table)
{
	walk->buckets = BPF_CORE_READ(table, hbs);
	walk->count = 1U << (BPF_CORE_READ(table, hash_bits) & 31);
	REPEAT(MAX_RING_BUCKETS, step_ring, walk);
}

/*
 * A thread waits for a ring of which no request is at a block device: for descriptors or a time, as in a poll;
 * else for requests that workers have, which would be storage without block requests.
 */
static __noinline u32 state_of_ring(struct task_struct *t, const struct call *call)
{
	struct ring_walk walk = {};
	struct open_files open;
	struct io_ring_ctx *ring;
	struct list_head *timeouts;
	struct file *file;

	/* The number is one of a table of its own. */
	if (call->argument[3] & IORING_ENTER_REGISTERED_RING)
		return LEDGER_OTHER;
	open_files_read(t, &open);
	file = open_files_get(&open, call->argument[0]);
	ring = BPF_CORE_READ(file, private_data);
	if (!ring)
		return LEDGER_OTHER;
	ring_walk_table(&walk, &ring->cancel_table);
	if (bpf_core_field_exists(ring->cancel_table_locked))
		ring_walk_table(&walk, &ring->cancel_table_locked);
	timeouts = &ring->timeout_list;
	if (BPF_CORE_READ(timeouts, next) != timeouts)
		walk.kinds |= FD_TIMER;
	return walk.kinds ? state_of_poll(walk.kinds) : LEDGER_STORAGE_READ;
}

#endif
