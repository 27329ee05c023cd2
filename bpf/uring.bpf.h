/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What io_uring's workers wait for, and a thread that waits for a ring. */
#ifndef WHYSTALL_URING_BPF_H
#define WHYSTALL_URING_BPF_H

#include "descriptors.bpf.h"

/* Buckets, of which the kernel makes up to 256, and requests in them. */
enum { MAX_RING_STEPS = 256 + MAX_POLLED };

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
__noinline int sleep_of_worker(u64 thread, struct sleep *sleep)
{
	struct io_kiocb *request = request_of_worker((struct task_struct *)thread);
	struct file *file = request ? BPF_CORE_READ(request, file) : NULL;
	u32 what;

	if (!sleep)
		return 0;
	if (!request) {
		sleep->state = LEDGER_IDLE;
		return 0;
	}
	sleep->state = state_of_opcode(BPF_CORE_READ(request, opcode));
	if (!file)
		return 0;
	what = file_kind((u64)file);
	sleep->state = state_of_file(what, sleep->state);
	if (what == FD_STORAGE)
		sleep->inode = inode_of(file);
	return 0;
}

/* The requests of a ring that wait for a descriptor to become ready. */
struct ring_walk {
	void *buckets;
	u32 count, next; /* buckets, and the one after this */
	struct hlist_node *node;
	u32 kinds; /* of the descriptors that are waited for */
};

static long step_ring(u32 index, struct ring_walk *walk)
{
	struct io_hash_bucket *bucket;
	struct io_kiocb *request;
	struct file *file;

	if (!walk->node) {
		if (walk->next >= walk->count)
			return 1;
		bucket = walk->buckets + walk->next * bpf_core_type_size(struct io_hash_bucket);
		walk->next++;
		walk->node = BPF_CORE_READ(bucket, list.first);
		return 0;
	}
	request = (void *)walk->node - bpf_core_field_offset(struct io_kiocb, hash_node);
	walk->node = BPF_CORE_READ(request, hash_node.next);
	file = BPF_CORE_READ(request, file);
	if (file)
		walk->kinds |= file_kind((u64)file);
	return (walk->kinds & FD_INET) != 0;
}

/*
 * The walk begins without a node, as a value that the verifier does not know: that of 6.1 looks at the first round alone, and
 * takes out what it does not reach.
 */
static __always_inline void ring_walk_table(struct ring_walk *walk, struct io_hash_table *table)
{
	struct hlist_node *none = NULL;

	walk->buckets = BPF_CORE_READ(table, hbs);
	walk->count = 1U << (BPF_CORE_READ(table, hash_bits) & 31);
	walk->next = 0;
	bpf_probe_read_kernel(&walk->node, sizeof(walk->node), &none);
	REPEAT(MAX_RING_STEPS, step_ring, walk);
}

/* The ring of io_uring_enter: by its descriptor, or by a number of the thread's own table. */
static __always_inline struct io_ring_ctx *ring_of_call(struct task_struct *t,
							const struct call *call)
{
	u32 number = call->argument[0];
	struct io_uring_task *own;
	struct open_files open;
	struct file *file;

	if (call->argument[3] & IORING_ENTER_REGISTERED_RING) {
		own = BPF_CORE_READ(t, io_uring);
		bpf_core_read(&file, sizeof(file), &own->registered_rings[number & 15]);
	} else {
		open_files_read(t, &open);
		file = open_files_get(&open, number);
	}
	return BPF_CORE_READ(file, private_data);
}

static __always_inline bool is_empty(struct list_head *list)
{
	return BPF_CORE_READ(list, next) == list;
}

/* More requests than completions: none of them is in one of the lists that tell what it waits for. */
static __always_inline bool has_outstanding(struct io_ring_ctx *ring)
{
	return (s32)(BPF_CORE_READ(ring, cached_sq_head) - BPF_CORE_READ(ring, cached_cq_tail)) > 0;
}

/*
 * A thread waits for a ring of which no request is at a block device: for descriptors or a time, as in a poll; for
 * a futex or a child; else for requests that a file system without a device or a worker has. Without any request it is
 * somebody else who will send it a completion, or a time.
 */
__noinline u32 state_of_ring(u64 thread, const struct call *call)
{
	struct ring_walk walk = {};
	struct io_ring_ctx *ring;

	if (!call)
		return LEDGER_OTHER;
	ring = ring_of_call((struct task_struct *)thread, call);
	if (!ring)
		return LEDGER_OTHER;
	ring_walk_table(&walk, &ring->cancel_table);
	if (bpf_core_field_exists(ring->cancel_table_locked))
		ring_walk_table(&walk, &ring->cancel_table_locked);
	if (bpf_core_field_exists(ring->waitid_list) && BPF_CORE_READ(ring, waitid_list.first))
		walk.kinds |= FD_PIPE;
	if (!is_empty(&ring->timeout_list))
		walk.kinds |= FD_TIMER;
	if (walk.kinds)
		return state_of_poll(walk.kinds);
	if (bpf_core_field_exists(ring->futex_list) && BPF_CORE_READ(ring, futex_list.first))
		return LEDGER_LOCK;
	if (has_outstanding(ring))
		return LEDGER_STORAGE_READ;
	return call->argument[3] & IORING_ENTER_EXT_ARG ? LEDGER_SLEEP : LEDGER_IPC;
}

#endif
