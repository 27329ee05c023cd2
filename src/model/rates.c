// SPDX-License-Identifier: BSD-2-Clause
#include "model/rates.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/units.h"
#include "collect/device.h"
#include "model/disks.h"
#include "model/kernel_owner.h"
#include "model/ledger.h"
#include "model/rows.h"

static const double bytes_per_mb = 1e6;

static struct device_totals *find(const struct totals *totals, uint32_t device)
{
	for (size_t i = 0; i < totals->count; i++)
		if (totals->list[i].device == device)
			return &totals->list[i];
	return NULL;
}

/* `last`: what was found last. A process's rows of many devices come in the order of these. */
static struct device_totals *find_or_add(struct totals *totals, uint32_t device, size_t last)
{
	struct device_totals *found = NULL;

	for (size_t i = last; !found && i < totals->count && i < last + 2; i++)
		found = totals->list[i].device == device ? &totals->list[i] : NULL;
	if (!found)
		found = find(totals, device);
	if (found)
		return found;
	if (totals->count == totals->capacity) {
		size_t capacity = totals->capacity ? 2 * totals->capacity : 4;
		struct device_totals *list =
			reallocarray(totals->list, capacity, sizeof(*totals->list));

		if (!list)
			return NULL;
		totals->list = list;
		totals->capacity = capacity;
	}
	found = &totals->list[totals->count++];
	memset(found, 0, sizeof(*found));
	found->device = device;
	return found;
}

static void add(struct device_totals *totals, const struct io_row *row)
{
	totals->requests += row->requests;
	if (row->key.op == IO_READ)
		io_row_add(&totals->read, row);
	else if (row->key.op == IO_WRITE)
		io_row_add(&totals->write, row);
}

/* Does the row count in the sum over all devices? Not what counts at a device above already. */
static bool is_topmost(const struct io_row *row, const struct owner *o)
{
	return !row->key.lower &&
	       !(o->kind == OWNER_KERNEL && kernel_owner_of(o->cmdline).hides_owner);
}

/* All that says whether anything moved: neither devices of a process are known, nor processes of a device. */
static void add_proc(struct device_totals *all, const struct sample *sample, bool everybody)
{
	for (size_t i = 0; everybody && i < sample->disk_count; i++) {
		const struct disk_sample *disk = &sample->disks[i];

		all->requests += disk->reads + disk->writes + disk->discards + disk->flushes;
	}
	for (size_t i = 0; !everybody && i < sample->row_count; i++)
		add(all, &sample->rows[i]);
}

int totals_build(struct totals *totals, const struct sample *sample, bool everybody)
{
	size_t last = 0;

	totals->count = 0;
	totals->everybody = everybody;
	if (!find_or_add(totals, 0, last))
		return -ENOMEM;
	if (sample->source == SOURCE_PROC) {
		add_proc(&totals->list[0], sample, everybody);
		return 0;
	}
	for (size_t i = 0; i < sample->row_count; i++) {
		const struct io_row *row = &sample->rows[i];
		const struct owner *o = &sample->owners[row->key.owner].owner;
		struct device_totals *device;

		if (!everybody &&
		    (row->key.owner == OWNER_UNKNOWN || row->key.owner == OWNER_OUTSIDE ||
		     o->kind == OWNER_CGROUP || o->kind == OWNER_KERNEL))
			continue;
		device = find_or_add(totals, row->key.device, last);
		if (!device)
			return -ENOMEM;
		last = (size_t)(device - totals->list);
		add(device, row);
		if (is_topmost(row, o))
			add(&totals->list[0], row);
	}
	return 0;
}

bool totals_differ(const struct totals *before, const struct totals *now)
{
	const struct device_totals *a = &before->list[0], *b = &now->list[0];

	return a->requests != b->requests || a->read.bytes != b->read.bytes ||
	       a->write.bytes != b->write.bytes;
}

void totals_free(struct totals *totals)
{
	free(totals->list);
	memset(totals, 0, sizeof(*totals));
}

static void find_busy(struct rates *rates, const struct sample *from, const struct sample *to,
		      double seconds)
{
	for (size_t i = 0; i < to->disk_count; i++) {
		const struct disk_sample *now = &to->disks[i];
		const struct disk_sample *then;
		double pct;

		if (now->hidden || (rates->device ? now->device != rates->device : now->partition))
			continue;
		then = sample_find_disk(from, now->device, i);
		if (!then || !disk_busy_pct(now, then, seconds, &pct))
			continue;
		if (!rates->busy_known || pct > rates->busy_pct)
			rates->busy_pct = pct;
		rates->busy_known = true;
	}
}

static void set_bytes(struct rates *rates, uint64_t read_bytes, uint64_t write_bytes,
		      double seconds)
{
	rates->bytes_known = true;
	rates->read_mb_s = (double)read_bytes / bytes_per_mb / seconds;
	rates->write_mb_s = (double)write_bytes / bytes_per_mb / seconds;
}

static void set_requests(struct rates *rates, uint64_t requests, double seconds)
{
	rates->requests_known = true;
	rates->requests_s = (double)requests / seconds;
}

/* Does the disk count for all disks together? What one that lies on others moved, those have too. */
static bool is_lowest(const struct disk_sample *disk)
{
	return !disk->partition && !disk->hidden && !device_is_upper(disk->device, disk->name);
}

static void set_disks(struct rates *rates, const struct sample *from, const struct sample *to,
		      double seconds)
{
	struct disk_delta sum = { .times_known = true };
	bool found = false;

	for (size_t i = 0; i < to->disk_count; i++) {
		const struct disk_sample *now = &to->disks[i];
		struct disk_delta delta;

		if (rates->device && now->device != rates->device)
			continue;
		found = true;
		disk_subtract(&delta, now, sample_find_disk(from, now->device, i));
		if (rates->device || (delta.requests && is_lowest(now)))
			disk_add(&sum, &delta);
	}
	if (!found)
		return;
	set_bytes(rates, sum.read_bytes, sum.write_bytes, seconds);
	set_requests(rates, sum.requests, seconds);
	rates->read = disk_read_mean(&sum);
	rates->write = disk_write_mean(&sum);
}

/* Of a job of which no process may be read nothing is known. */
static bool any_bytes_known(const struct sample *sample)
{
	for (size_t i = 0; i < sample->owner_count; i++)
		if (sample->owners[i].owner.kind == OWNER_PROCESS &&
		    !sample->owners[i].bytes_unknown)
			return true;
	return sample->row_count != 0;
}

static int set_job(struct rates *rates, struct scratch *scratch, const struct sample *from,
		   const struct sample *to, double seconds)
{
	uint64_t read_bytes = 0, write_bytes = 0;
	struct io_row *rows;
	size_t count;

	if (rates->device || !any_bytes_known(to))
		return 0;
	rows = rows_between(scratch, from, to, &count);
	if (!rows)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++)
		*(rows[i].key.op == IO_READ ? &read_bytes : &write_bytes) += rows[i].bytes;
	set_bytes(rates, read_bytes, write_bytes, seconds);
	return 0;
}

static void set_requests_seen(struct rates *rates, const struct device_totals *before,
			      const struct device_totals *now, double seconds)
{
	struct io_row read = { 0 }, write = { 0 };

	if (now) {
		io_subtract(&read, &now->read, before ? &before->read : NULL);
		io_subtract(&write, &now->write, before ? &before->write : NULL);
	}
	set_bytes(rates, read.bytes, write.bytes, seconds);
	set_requests(rates, now ? now->requests - (before ? before->requests : 0) : 0, seconds);
	rates->read = io_device_latency(&read);
	rates->write = io_device_latency(&write);
}

static void set_name(struct rates *rates, const struct sample *to)
{
	const struct disk_sample *disk = sample_find_disk(to, rates->device, 0);

	if (!rates->device)
		snprintf(rates->name, sizeof(rates->name), "total");
	else if (disk)
		memcpy(rates->name, disk->name, sizeof(rates->name));
	else
		snprintf(rates->name, sizeof(rates->name), "%u:%u", device_major(rates->device),
			 device_minor(rates->device));
}

int rates_build(struct rates *rates, struct scratch *scratch, uint32_t device,
		const struct sample *from, const struct totals *before, const struct sample *to,
		const struct totals *now)
{
	double seconds = (double)(to->mono_ns - from->mono_ns) / NS_PER_S;

	*rates = (struct rates){ .device = device, .time = to->wall, .source = to->source };
	set_name(rates, to);
	find_busy(rates, from, to, seconds);
	if (to->source == SOURCE_PROC && !now->everybody)
		return set_job(rates, scratch, from, to, seconds);
	if (to->source == SOURCE_PROC)
		set_disks(rates, from, to, seconds);
	else
		set_requests_seen(rates, find(before, device), find(now, device), seconds);
	return 0;
}

int occupancy_build(struct occupancy *threads, struct scratch *scratch, const struct sample *from,
		    const struct sample *to)
{
	double ns = (double)(to->threads_ns - from->threads_ns);
	struct ledger *ledgers, job = { 0 };

	*threads = (struct occupancy){ .known = false };
	if (!to->has_ledger || !from->has_ledger)
		return 0;
	ledgers = ledger_by_owner(scratch, from, to, LEDGER_ALL);
	if (!ledgers)
		return -ENOMEM;
	for (size_t i = 0; i < to->owner_count; i++)
		ledger_add(&job, &ledgers[i]);
	*threads = (struct occupancy){
		.known = true,
		.cpu = (double)ledger_class_ns(&job, LEDGER_CPU) / ns,
		.runqueue = (double)ledger_class_ns(&job, LEDGER_RUNQUEUE) / ns,
		.storage = (double)ledger_storage_ns(&job) / ns,
		.network = (double)ledger_class_ns(&job, LEDGER_NETWORK) / ns,
		.ipc = (double)ledger_class_ns(&job, LEDGER_IPC) / ns,
		.lock = (double)ledger_class_ns(&job, LEDGER_LOCK) / ns,
		.gpu = (double)ledger_class_ns(&job, LEDGER_GPU) / ns,
		.sleep = (double)ledger_class_ns(&job, LEDGER_SLEEP) / ns,
		.other = (double)ledger_class_ns(&job, LEDGER_OTHER) / ns,
	};
	return 0;
}
