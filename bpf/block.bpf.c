// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * Block requests from Q (start, in the submitter's context) over D (issue to the driver) to C
 * (completion). Who and what is decided at Q and remembered; D and C run in the context of strangers.
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include "abi.h"
#include "rows.bpf.h"
#include "twice.bpf.h"
#include "upper.bpf.h"

/* Merged bios that are looked at in one request; beyond, the bytes go to the request's owner. */
enum { MAX_BIOS_PER_REQUEST = 256 };

static __always_inline u32 inflight_place(u32 disk, u32 queue, int internal_tag, int tag)
{
	/* With a scheduler the driver's tag is given only at D; the scheduler's stays. */
	if (internal_tag >= 0)
		tag = internal_tag;
	/* Tags are small and dense: spread the queues by a multiplicative hash, keep tags together. */
	return (((disk + queue) * 0x9e3779b1u >> 16) + tag) & config_inflight_mask;
}

static __always_inline u32 inflight_index(struct request *rq, u32 disk)
{
	return inflight_place(disk, rq->mq_hctx->queue_num, rq->internal_tag, rq->tag);
}

/* The same for rare events. For each load of a pointer the verifier searches the BTF, which takes 2 ms. */
static __always_inline u32 inflight_index_rare(struct request *rq)
{
	struct gendisk *disk = BPF_CORE_READ(rq, q, disk);
	u32 number = BPF_CORE_READ(disk, major) << 20 | BPF_CORE_READ(disk, first_minor);

	return inflight_place(number, BPF_CORE_READ(rq, mq_hctx, queue_num), rq->internal_tag,
			      rq->tag);
}

static __always_inline struct inflight *inflight_find(struct request *rq, u32 index)
{
	struct inflight *e = bpf_map_lookup_elem(&inflight, &index);
	u64 address = (u64)rq;

	if (e && e->request == address)
		return e;
	if (spilled_now)
		return bpf_map_lookup_elem(&spilled, &address);
	return NULL;
}

/*
 * A request starts that is still in the table: its last completion went unseen. The kernel does not run
 * a program that it interrupted, nor, on some hosts, any program on top of certain tasks. The bytes are
 * known, the latency is not. (Never issued: dm-multipath starts a request again that it could not
 * place; that was none.)
 */
__noinline int inflight_catch_up(struct inflight *e)
{
	struct io_row *row;
	u32 index;

	if (!e)
		return 0;
	index = e->row;
	row = bpf_map_lookup_elem(&rows, &index);
	if (!row)
		return 0;
	if (!e->d_ns && !e->flush) {
		row_unstart(index);
		return 0;
	}
	concurrency_end(row->reads, 0, 0);
	__sync_fetch_and_add(&loss.events_missed, 1);
	__sync_fetch_and_add(&row->requests, 1);
	__sync_fetch_and_add(&row->unissued, 1);
	__sync_fetch_and_add(&row->bytes, e->bytes);
	return 0;
}

/* The request's place was taken by another one. */
__noinline int inflight_spill(struct inflight *new)
{
	struct inflight own, *e; /* on the stack: 6.1 takes a value from nowhere else */
	u64 address;

	if (!new)
		return 0;
	address = new->request;
	e = bpf_map_lookup_elem(&spilled, &address);
	if (!new->q_ns)
		new->q_ns = bpf_ktime_get_ns();
	if (e)
		inflight_catch_up(e);
	new->beside = row_start(new->row);
	if (e) {
		*e = *new;
		return 0;
	}
	own = *new;
	if (bpf_map_update_elem(&spilled, &address, &own, BPF_NOEXIST)) {
		__sync_fetch_and_add(&loss.requests_untracked, 1);
		row_unstart(new->row);
		return 0;
	}
	__sync_fetch_and_add(&spilled_now, 1);
	__sync_fetch_and_add(&spilled_total, 1);
	return 0;
}

/*
 * When Q is, or 0 if the kernel will note the same right after this: that saves reading the clock, a third of what a
 * request costs. It will, if it did so for the last request of the same place (device, queue and tag).
 */
static __always_inline u64 q_clock(const struct inflight *e, bool exact)
{
	return e->stamps && exact ? 0 : bpf_ktime_get_ns();
}

/*
 * Enter a request; `q_ns` 0: it starts now, `exact`: the kernel's stamp would be exact. `index` is its place,
 * inflight_index().
 */
static __always_inline void inflight_add(u32 index, struct inflight *new, bool exact)
{
	struct inflight *e = bpf_map_lookup_elem(&inflight, &index);
	u64 address = new->request;
	u64 before;

	if (!e)
		return;
	before = __sync_val_compare_and_swap(&e->request, 0, address);
	if (before == address)
		inflight_catch_up(e);
	if (before == 0 || before == address) {
		e->beside = row_start(new->row);
		e->q_ns = new->q_ns ? new->q_ns : q_clock(e, exact);
		e->d_ns = new->d_ns;
		e->row = new->row;
		e->bytes = new->bytes;
		e->flush = new->flush;
		e->merged = 0;
		return;
	}
	inflight_spill(new);
}

static __always_inline void inflight_remove(struct request *rq, u32 index, struct inflight *e)
{
	u64 address = (u64)rq;

	if (e == bpf_map_lookup_elem(&inflight, &index)) {
		release_store(&e->request);
		return;
	}
	if (!bpf_map_delete_elem(&spilled, &address))
		__sync_fetch_and_add(&spilled_now, -1);
}

static __always_inline bool is_started(struct request *rq, u32 index)
{
	struct inflight *e = inflight_find(rq, index);

	return e && !e->d_ns;
}

/* Q: the request has its first bio and its tag, and `current` is who submits it. */
TRACE_THRICE("block_io_start", block_start, struct request *rq)
{
	u32 bytes = rq->__data_len;
	u32 disk = device_of(rq->q->disk);
	u32 index = inflight_index(rq, disk);
	struct bio *bio = rq->bio;
	u32 op = op_of(rq->cmd_flags, bytes);
	struct task_struct *current = bpf_get_current_task_btf();
	bool exact = stamps_are_exact(current);
	struct inflight new = {};

	/* Pointers are loaded once, before the ways part, see inflight_index_rare(). */
	barrier_var(index);
	barrier_var(bio);
	if (op == IO_OPS || !disk || (again && is_started(rq, index)))
		return 0;
	new.request = (u64)rq;
	new.row = row_of_submitter(current, bio, bio->bi_opf, is_direct(bio->bi_flags),
				   device_shown(disk, rq->__sector, bio, op), op);
	if (new.row == ROW_IGNORED)
		return 0;
	new.bytes = bytes;
	new.flush = op == IO_FLUSH;
	inflight_add(index, &new, exact && !new.flush);
	return 0;
}

/*
 * Enter a bio with a row of its own; `q_ns` 0: it was merged into another request. The bio may be an address.
 */
static __always_inline int bio_enter(struct bio *bio, u64 q_ns)
{
	struct gendisk *disk = BPF_CORE_READ(bio, bi_bdev, bd_disk);
	u32 number = BPF_CORE_READ(disk, major) << 20 | BPF_CORE_READ(disk, first_minor);
	u32 opf = BPF_CORE_READ(bio, bi_opf);
	u32 op = op_of(opf, BPF_CORE_READ(bio, bi_iter.bi_size));
	struct bio_entry entry = { .q_ns = q_ns, .flush = op == IO_FLUSH };
	u64 address = (u64)bio;
	u32 device;

	if (op == IO_OPS || !number)
		return 0;
	device = device_shown(number, BPF_CORE_READ(bio, bi_iter.bi_sector), bio, op);
	entry.row = row_of_submitter(bpf_get_current_task_btf(), bio, opf,
				     is_direct(BPF_CORE_READ(bio, bi_flags)), device, op);
	if (entry.row == ROW_IGNORED)
		return 0;
	if (bpf_map_update_elem(&bios, &address, &entry, BPF_ANY))
		__sync_fetch_and_add(&loss.requests_untracked, 1);
	return 0;
}

/* Q without block_io_start: the request is not known yet, its bio stands for it until D. */
TRACE_TWICE("block_getrq", block_start_bio, struct bio *bio)
{
	u64 address = (u64)bio;

	if (!bio || (again && bpf_map_lookup_elem(&bios, &address)))
		return 0;
	return bio_enter(bio, bpf_ktime_get_ns());
}

/*
 * block_bio_backmerge and block_bio_frontmerge: a bio joins a request that may be another process's: its bytes
 * are its submitter's, the request and its latency stay its owner's. Which request it is, these tracepoints
 * do not say; C looks.
 */
RAW_TWICE(block_merge, struct bio *bio)
{
	u64 address = (u64)bio;

	if (again && bpf_map_lookup_elem(&bios, &address))
		return 0;
	return bio_enter(bio, 0);
}

/* A walk over the bios of a request; the steps read them by address, as kernel memory. */
struct bio_walk {
	struct bio *bio;
	u64 request; /* address */
	u32 index;   /* the request's place in `inflight` */
	u32 row;
	u32 bytes;
	bool error;
};

/* The bio keeps the row of its request; fails, rightly, where it has one of its own. */
static long step_keep_row(u32 index, struct bio_walk *walk)
{
	struct bio_entry entry = { .row = walk->row };
	struct bio *bio =
		walk->bio; /* a name of its own: BPF_CORE_READ would relocate `walk` too */
	u64 address = (u64)bio;

	if (!address)
		return 1;
	bpf_map_update_elem(&bios, &address, &entry, BPF_NOEXIST);
	walk->bio = BPF_CORE_READ(bio, bi_next);
	return 0;
}

/* A whole request was appended to another and will not complete itself: its bios take its row along. */
TRACE_TWICE("block_rq_merge", block_request_merge, struct request *rq)
{
	u32 index = inflight_index_rare(rq);
	struct inflight *e = inflight_find(rq, index);
	struct bio_walk walk = { .bio = BPF_CORE_READ(rq, bio) };

	if (!e)
		return 0;
	walk.row = e->row;
	row_unstart(e->row);
	inflight_remove(rq, index, e);
	REPEAT(MAX_BIOS_PER_REQUEST, step_keep_row, &walk);
	return 0;
}

/*
 * D without block_io_start: the request takes over what its bio brought. After a front merge that is
 * not the first bio; after a merge of requests there are several, and the first one found owns it. If
 * no bio brought anything, the request was issued before.
 */
static long step_take_over(u32 index, struct bio_walk *walk)
{
	struct bio *bio = walk->bio;
	u64 address = (u64)bio;
	struct bio_entry *entry;

	if (!address)
		return 1;
	entry = bpf_map_lookup_elem(&bios, &address);
	if (entry && entry->q_ns) {
		struct inflight new = {
			.request = walk->request,
			.q_ns = entry->q_ns,
			.row = entry->row,
			.bytes = BPF_CORE_READ(bio, bi_iter.bi_size),
		};

		bpf_map_delete_elem(&bios, &address);
		inflight_add(walk->index, &new, false);
		return 1;
	}
	walk->bio = BPF_CORE_READ(bio, bi_next);
	return 0;
}

static __always_inline void issue_by_bio(struct request *rq, u32 index)
{
	struct bio_walk walk = { .bio = rq->bio, .request = (u64)rq, .index = index };

	REPEAT(MAX_BIOS_PER_REQUEST, step_take_over, &walk);
}

/* D: given to the driver. After a requeue it comes again, and the last one counts. */
TRACE_THRICE("block_rq_issue", block_issue, struct request *rq)
{
	u32 index = inflight_index(rq, device_of(rq->q->disk));
	struct inflight *e;
	u64 stamp;

	if (!config_has_io_start && op_of(rq->cmd_flags, 1) != IO_OPS)
		issue_by_bio(rq, index);
	e = inflight_find(rq, index);
	if (!e)
		return 0;
	stamp = start_stamp(rq);
	e->stamps = stamp != 0;
	if (!e->q_ns)
		e->q_ns = stamp;
	/* 0: `iostats` was switched off this moment. No latency is known, as if D had not been seen. */
	if (e->q_ns)
		e->d_ns = bpf_ktime_get_ns();
	if (e->bytes != rq->__data_len) {
		/* Bios were merged: should its completion go unseen, this is what it moved. */
		e->merged = 1;
		e->bytes = rq->__data_len;
	}
	return 0;
}

TRACE_TWICE("block_rq_requeue", block_requeue, struct request *rq)
{
	struct inflight *e = inflight_find(rq, inflight_index_rare(rq));

	if (e)
		e->d_ns = 0;
	return 0;
}

/* One bio's part of the bytes that completed. */
static long step_share_bytes(u32 index, struct bio_walk *walk)
{
	struct bio *bio = walk->bio;
	u64 address = (u64)bio;
	struct bio_entry *entry;
	u32 size, part;

	if (!address || !walk->bytes)
		return 1;
	size = BPF_CORE_READ(bio, bi_iter.bi_size);
	part = size < walk->bytes ? size : walk->bytes;
	entry = bpf_map_lookup_elem(&bios, &address);
	row_add_bytes(entry ? entry->row : walk->row, part);
	if (entry && part == size)
		bpf_map_delete_elem(&bios, &address);
	walk->bytes -= part;
	walk->bio = BPF_CORE_READ(bio, bi_next);
	return 0;
}

/* Share the bytes of a completion among the owners of the bios of the request at this address. */
__noinline int add_merged_bytes(u64 request, u32 own_row, u32 bytes)
{
	struct request *rq = (void *)request;
	struct bio_walk walk = { .bio = BPF_CORE_READ(rq, bio), .row = own_row, .bytes = bytes };

	REPEAT(MAX_BIOS_PER_REQUEST, step_share_bytes, &walk);
	if (walk.bytes)
		row_add_bytes(own_row, walk.bytes);
	return 0;
}

static __always_inline void row_end_request(struct io_row *row, const struct inflight *e, u64 now,
					    bool error)
{
	u64 device_ns;

	__sync_fetch_and_add(&row->requests, 1);
	concurrency_end(row->reads, e->beside, e->q_ns ? now - e->q_ns : 0);
	if (error)
		__sync_fetch_and_add(&row->errors, 1);
	if (e->flush) {
		/* Its own request is never issued: the wait for the shared flush is all there is. */
		device_ns = now - e->q_ns;
	} else if (e->d_ns) {
		u64 queue_ns = e->d_ns - e->q_ns;

		device_ns = now - e->d_ns;
		__sync_fetch_and_add(&row->queue_ns, queue_ns);
		histogram_add(row->queue, queue_ns);
		raise_max(&row->queue_max_ns, queue_ns);
	} else {
		__sync_fetch_and_add(&row->unissued, 1);
		/* A request that fails may rightly never be issued. */
		if (!error)
			__sync_fetch_and_add(&loss.events_missed, 1);
		return;
	}
	row_add_device_latency(row, device_ns);
}

/*
 * A completion whose start was not seen: it began before the programs were attached, or there was no
 * room for it. Its bytes are known and are counted as nobody's. Without bytes it is the second
 * completion of a flush sequence, which the kernel makes after the one for the data.
 */
__noinline int complete_unmatched(u64 request, u32 disk, bool error, u32 bytes)
{
	struct request *rq = (void *)request;
	u32 op = op_of(BPF_CORE_READ(rq, cmd_flags), 1);
	struct io_key key = { .owner = OWNER_UNKNOWN, .op = op };
	struct io_row *row;
	u32 index;

	if (op == IO_OPS || !bytes)
		return 0;
	key.device = device_shown(disk, BPF_CORE_READ(rq, __sector), BPF_CORE_READ(rq, bio), op);
	if (!key.device)
		return 0;
	__sync_fetch_and_add(&loss.completions_unmatched, 1);
	index = row_find(&key);
	row = bpf_map_lookup_elem(&rows, &index);
	if (!row)
		return 0;
	if (bytes >= BPF_CORE_READ(rq, __data_len)) {
		__sync_fetch_and_add(&row->requests, 1);
		__sync_fetch_and_add(&row->unissued, 1);
		if (error)
			__sync_fetch_and_add(&row->errors, 1);
	}
	add_merged_bytes(request, index, bytes);
	return 0;
}

/* A flush that was never issued, where only its bio is known (no block_io_start). */
__noinline bool complete_by_bio(u64 request, u64 now, bool error)
{
	struct request *rq = (void *)request;
	u64 address = (u64)BPF_CORE_READ(rq, bio);
	struct bio_entry *entry = bpf_map_lookup_elem(&bios, &address);
	struct io_row *row;
	u32 index;

	if (!entry || !entry->q_ns)
		return false;
	struct inflight e = { .q_ns = entry->q_ns, .flush = entry->flush };

	index = entry->row;
	bpf_map_delete_elem(&bios, &address);
	row = bpf_map_lookup_elem(&rows, &index);
	if (!row)
		return true;
	row_start(index);
	row_end_request(row, &e, now, error);
	if (!e.flush)
		add_merged_bytes(request, index, BPF_CORE_READ(rq, __data_len));
	return true;
}

/*
 * NVMe multipath passes the very bio on to a path: then its completion is traced here alone, and not as
 * that of a bio.
 */
static long step_end_upper(u32 index, struct bio_walk *walk)
{
	struct bio *bio = walk->bio;
	u32 size;

	if (!bio)
		return 1;
	size = BPF_CORE_READ(bio, bi_iter.bi_size);
	if (size > walk->bytes)
		return 1;
	upper_end((u64)bio, walk->error);
	walk->bytes -= size;
	walk->bio = BPF_CORE_READ(bio, bi_next);
	return 0;
}

__noinline int end_upper_bios(u64 request, bool error, u32 bytes)
{
	struct request *rq = (void *)request;
	struct bio_walk walk = { .bio = BPF_CORE_READ(rq, bio), .bytes = bytes, .error = error };

	REPEAT(MAX_BIOS_PER_REQUEST, step_end_upper, &walk);
	return 0;
}

/*
 * C: some or all of the request is done. Bytes count as they complete, also failed ones, as diskstats
 * has it; the request ends when nothing is left.
 */
TRACE_THRICE("block_rq_complete", block_complete, struct request *rq, int error, unsigned int bytes)
{
	u32 disk = device_of(rq->q->disk);
	u32 place = inflight_index(rq, disk);
	struct inflight *e = inflight_find(rq, place);
	u32 left = rq->__data_len;
	struct io_row *row;
	u32 index;

	if (upper_bios_now)
		end_upper_bios(address_of(rq), error, bytes);
	if (again && (!e || e->bytes != left))
		return 0;
	if (!e) {
		if (config_has_io_start ||
		    !complete_by_bio(address_of(rq), bpf_ktime_get_ns(), error))
			complete_unmatched(address_of(rq), disk, error, bytes);
		return 0;
	}
	index = e->row;
	row = bpf_map_lookup_elem(&rows, &index);
	if (e->merged || e->bytes != left) {
		/* More is in it than at Q: bios were merged, perhaps another process's. */
		e->merged = 1;
		add_merged_bytes(address_of(rq), index, bytes);
	} else if (row) {
		__sync_fetch_and_add(&row->bytes, bytes);
	}
	e->bytes = left - bytes;
	if (bytes < left)
		return 0;
	if (row)
		row_end_request(row, e, bpf_ktime_get_ns(), error);
	inflight_remove(rq, place, e);
	return 0;
}
