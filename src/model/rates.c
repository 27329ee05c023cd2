// SPDX-License-Identifier: BSD-2-Clause
#include "model/rates.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/units.h"
#include "model/kernel_owner.h"
#include "model/ledger.h"

static const double bytes_per_mb = 1e6;

static struct device_totals *find(const struct totals *totals, uint32_t device)
{
	for (size_t i = 0; i < totals->count; i++)
		if (totals->list[i].device == device)
			return &totals->list[i];
	return NULL;
}

static struct device_totals *find_or_add(struct totals *totals, uint32_t device)
{
	struct device_totals *found = find(totals, device);

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

int totals_build(struct totals *totals, const struct sample *sample, bool everybody)
{
	totals->count = 0;
	if (!find_or_add(totals, 0))
		return -ENOMEM;
	for (size_t i = 0; i < sample->row_count; i++) {
		const struct io_row *row = &sample->rows[i];
		const struct owner *o = &sample->owners[row->key.owner].owner;
		struct device_totals *device;

		if (!everybody &&
		    (row->key.owner == OWNER_UNKNOWN || row->key.owner == OWNER_OUTSIDE ||
		     o->kind == OWNER_CGROUP || o->kind == OWNER_KERNEL))
			continue;
		device = find_or_add(totals, row->key.device);
		if (!device)
			return -ENOMEM;
		add(device, row);
		if (is_topmost(row, o))
			add(&totals->list[0], row);
	}
	return 0;
}

void totals_free(struct totals *totals)
{
	free(totals->list);
	memset(totals, 0, sizeof(*totals));
}

static double busy_pct(const struct disk_sample *from, const struct disk_sample *to, double seconds)
{
	double pct = (double)counter32_delta(to->busy_ms, from->busy_ms) / (seconds * 10);

	/* The kernel rounds to its timer's ticks: a busy device can come out a little above. */
	return pct < 100 ? pct : 100;
}

static void find_busy(struct rates *rates, const struct sample *from, const struct sample *to,
		      double seconds)
{
	for (size_t i = 0; i < to->disk_count; i++) {
		const struct disk_sample *now = &to->disks[i];
		const struct disk_sample *then = sample_find_disk(from, now->device);
		double pct;

		if (!then || now->hidden ||
		    (rates->device ? now->device != rates->device : now->partition))
			continue;
		pct = busy_pct(then, now, seconds);
		if (!rates->busy_known || pct > rates->busy_pct)
			rates->busy_pct = pct;
		rates->busy_known = true;
	}
}

void rates_build(struct rates *rates, uint32_t device, const struct sample *from,
		 const struct totals *before, const struct sample *to, const struct totals *now)
{
	const struct device_totals *a = find(before, device), *b = find(now, device);
	const struct disk_sample *disk = sample_find_disk(to, device);
	double seconds = (double)(to->mono_ns - from->mono_ns) / NS_PER_S;
	struct io_row delta;

	memset(rates, 0, sizeof(*rates));
	rates->device = device;
	rates->time = to->wall;
	if (!device)
		snprintf(rates->name, sizeof(rates->name), "total");
	else if (disk)
		memcpy(rates->name, disk->name, sizeof(rates->name));
	else
		snprintf(rates->name, sizeof(rates->name), "%u:%u", device_major(device),
			 device_minor(device));
	find_busy(rates, from, to, seconds);
	if (!b)
		return;
	rates->requests_s = (double)(b->requests - (a ? a->requests : 0)) / seconds;
	io_subtract(&delta, &b->read, a ? &a->read : NULL);
	rates->read_mb_s = (double)delta.bytes / bytes_per_mb / seconds;
	rates->read = io_device_latency(&delta);
	io_subtract(&delta, &b->write, a ? &a->write : NULL);
	rates->write_mb_s = (double)delta.bytes / bytes_per_mb / seconds;
	rates->write = io_device_latency(&delta);
}

int occupancy_build(struct occupancy *threads, const struct sample *from, const struct sample *to)
{
	double ns = (double)(to->threads_ns - from->threads_ns);
	struct ledger *ledgers, job = { 0 };

	*threads = (struct occupancy){ .known = false };
	if (!to->has_ledger || !from->has_ledger)
		return 0;
	ledgers = ledger_by_owner(from, to, LEDGER_ALL);
	if (!ledgers)
		return -ENOMEM;
	for (size_t i = 0; i < to->owner_count; i++)
		ledger_add(&job, &ledgers[i]);
	free(ledgers);
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
