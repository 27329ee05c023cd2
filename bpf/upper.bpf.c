// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * Devices without requests of their own: those stacked on others (dm, md, NVMe multipath), and zram. A
 * bio that is submitted to one counts there from Q to C. Attached only on hosts that have such a device:
 * these tracepoints are passed by every bio.
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include "abi.h"
#include "twice.bpf.h"
#include "upper.bpf.h"

__noinline int upper_end(u64 address, bool error)
{
	struct upper_bio bio;
	struct io_row *row = upper_take(address, &bio);

	if (!row)
		return 0;
	__sync_fetch_and_add(&row->requests, 1);
	__sync_fetch_and_add(&row->bytes, bio.bytes);
	concurrency_end(row->reads, 0, 0);
	if (error)
		__sync_fetch_and_add(&row->errors, 1);
	row_add_device_latency(row, bpf_ktime_get_ns() - bio.q_ns);
	return 0;
}

/* Q: `current` submits the bio to the device. */
TRACE_TWICE("block_bio_queue", upper_start, struct bio *bio)
{
	struct gendisk *gendisk = bio->bi_bdev->bd_disk;
	struct upper_bio entry = { .bytes = bio->bi_iter.bi_size };
	u32 disk = device_of(gendisk), op = op_of(bio->bi_opf, entry.bytes);
	u64 address = (u64)bio;
	u32 device;

	if (gendisk->queue->mq_ops || op == IO_OPS || !disk ||
	    (again && bpf_map_lookup_elem(&upper_bios, &address)))
		return 0;
	device = device_shown(disk, bio->bi_iter.bi_sector, bio, op);
	entry.row = row_of_submitter(bpf_get_current_task_btf(), bio, bio->bi_opf,
				     is_direct(bio->bi_flags), device, op);
	if (entry.row == ROW_IGNORED)
		return 0;
	entry.q_ns = bpf_ktime_get_ns();
	upper_end_missed(address);
	if (bpf_map_update_elem(&upper_bios, &address, &entry, BPF_NOEXIST))
		__sync_fetch_and_add(&loss.requests_untracked, 1);
	else {
		row_start(entry.row);
		__sync_fetch_and_add(&upper_bios_now, 1);
	}
	return 0;
}

/* C: the bio and all that it was split into are done. */
TRACE_TWICE_BY(ctx[1], "block_bio_complete", upper_complete, struct request_queue *queue,
	       struct bio *bio)
{
	if (upper_bios_now)
		upper_end(address_of(bio), bio->bi_status != 0);
	return 0;
}
