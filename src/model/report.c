// SPDX-License-Identifier: BSD-2-Clause
#include "model/report.h"

#include <errno.h>
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/order.h"
#include "base/text.h"
#include "base/units.h"
#include "model/disks.h"
#include "model/edges.h"
#include "model/kernel_owner.h"
#include "model/rows.h"

static bool is_of_job(uint32_t owner, uint32_t kind)
{
	return kind == OWNER_PROCESS || owner == OWNER_FOLDED || owner == OWNER_EXITED;
}

static double since(uint64_t ns, uint64_t start_ns)
{
	return ((double)ns - (double)start_ns) / NS_PER_S;
}

static void name_fixed(struct process_report *p, const struct owner *o, uint32_t index)
{
	switch (index) {
	case OWNER_FOLDED:
		snprintf(p->comm, sizeof(p->comm), "(others)");
		break;
	case OWNER_EXITED:
		snprintf(p->comm, sizeof(p->comm), "(exited)");
		p->threads = o->threads;
		break;
	default:
		if (o->kind == OWNER_CGROUP) {
			snprintf(p->comm, sizeof(p->comm), "[cgroup %.*s]", CMDLINE_LEN - 1,
				 o->cmdline);
			break;
		}
		text_copy(p->comm, sizeof(p->comm), kernel_owner_of(o->cmdline).label);
		text_copy(p->cmdline, sizeof(p->cmdline), o->cmdline);
	}
}

static void describe(struct process_report *p, const struct sample *from, const struct sample *to,
		     uint32_t index)
{
	const struct owner_sample *sample = &to->owners[index];
	const struct owner *o = &sample->owner;

	p->owner = index;
	p->cgroup = sample->cgroup;
	p->server = o->kind == OWNER_SERVER;
	p->io_known = !sample->bytes_unknown;
	if (o->kind != OWNER_PROCESS && !p->server) {
		name_fixed(p, o, index);
		return;
	}
	p->pid = (pid_t)o->pid;
	p->ppid = (pid_t)o->ppid;
	memcpy(p->comm, o->comm, sizeof(o->comm));
	p->comm[sizeof(o->comm) - 1] = '\0';
	text_join_arguments(p->cmdline, sizeof(p->cmdline), o->cmdline, o->cmdline_len);
	p->threads = o->threads;
	p->start_s = since(o->start_boot_ns, from->boot_ns);
	p->ended = o->end_boot_ns != 0;
	if (p->ended)
		p->end_s = since(o->end_boot_ns, from->boot_ns);
}

static int by_number(const void *a, const void *b)
{
	return compare_numbers(*(const uint32_t *)a, *(const uint32_t *)b);
}

/*
 * Where an owner's entries begin in an array that is sorted by owner, and how many there are. An entry has
 * `size` bytes, and its owner `offset` bytes from its start.
 */
static size_t find_owned(const void *list, size_t count, size_t size, size_t offset, uint32_t owner,
			 size_t *found)
{
	const char *owners = (const char *)list + offset;
	const uint32_t next = owner + 1;
	size_t begin = first_not_below(&owner, owners, count, size, by_number);

	*found = first_not_below(&next, owners, count, size, by_number) - begin;
	return begin;
}

static void take_io(struct process_report *p, struct io_row *rows, size_t count)
{
	p->io = rows + find_owned(rows, count, sizeof(*rows), offsetof(struct io_row, key.owner),
				  p->owner, &p->io_count);
	for (size_t i = 0; i < p->io_count; i++) {
		const struct io_row *row = &p->io[i];

		if (!row->key.lower)
			p->bytes += row->bytes;
		p->block_s += (double)(row->queue_ns + row->device_ns) / NS_PER_S;
	}
}

static int by_bytes(const void *a, const void *b)
{
	const struct process_report *x = a, *y = b;
	int order = compare_numbers(y->bytes, x->bytes);

	return order ? order : compare_numbers((uint64_t)x->pid, (uint64_t)y->pid);
}

static int files_by_owner_and_size(const void *a, const void *b)
{
	const struct file_report *x = a, *y = b;
	int order = compare_numbers(x->owner, y->owner);

	if (!order)
		order = compare_numbers(y->wait_ns, x->wait_ns);
	if (!order)
		order = compare_numbers(y->bytes, x->bytes);
	return order ? order : strcmp(x->path, y->path);
}

static void subtract_file(struct file_report *file, const struct file_sample *now,
			  const struct file_sample *then)
{
	*file = (struct file_report){ .path = now->path,
				      .mount = now->mount,
				      .bytes = now->read_bytes + now->write_bytes,
				      .read_bytes = now->read_bytes,
				      .owner = now->owner,
				      .device = now->device };
	if (then) {
		file->bytes -= then->read_bytes + then->write_bytes;
		file->read_bytes -= then->read_bytes;
	}
	for (int i = 0; i < WAIT_KINDS; i++) {
		file->kind_ns[i] = now->wait_ns[i] - (then ? then->wait_ns[i] : 0);
		file->wait_ns += file->kind_ns[i];
	}
}

static void name_device(struct file_report *file, const struct sample *from,
			const struct sample *to)
{
	const struct disk_sample *disk = sample_find_disk(to, file->device, 0);

	if (!disk)
		disk = sample_find_disk(from, file->device, 0);
	if (disk)
		memcpy(file->device_name, disk->name, sizeof(file->device_name));
}

/* The files of the window; those of a process whose place another one has are the exited ones'. */
static struct file_report *subtract_files(const struct sample *from, const struct sample *to,
					  size_t *count)
{
	struct file_report *files = calloc(to->file_count + 1, sizeof(*files));

	*count = 0;
	for (size_t i = 0; files && i < to->file_count; i++) {
		const struct file_sample *now = &to->files[i];
		struct file_report *file = &files[*count];

		subtract_file(file, now, i < from->file_count ? &from->files[i] : NULL);
		if ((!file->bytes && !file->wait_ns) || !now->path || now->owner >= to->owner_count)
			continue;
		if (to->owners[now->owner].owner.start_boot_ns != now->owner_start_boot_ns)
			file->owner = OWNER_EXITED;
		name_device(file, from, to);
		(*count)++;
	}
	if (files)
		qsort(files, *count, sizeof(*files), files_by_owner_and_size);
	return files;
}

/* Find the files with the most bytes; those with the longest waits come first anyway. */
static void choose_files(struct process_report *p)
{
	for (size_t i = 0; i < p->file_count; i++) {
		struct file_report *file = &p->files[i];
		size_t at = p->largest_count;

		file->shown = i < SHOWN_FILES && file->wait_ns;
		if (!file->bytes)
			continue;
		p->files_moved++;
		for (; at && p->largest[at - 1]->bytes < file->bytes; at--)
			if (at < SHOWN_FILES)
				p->largest[at] = p->largest[at - 1];
		if (at < SHOWN_FILES)
			p->largest[at] = file;
		if (p->largest_count < SHOWN_FILES)
			p->largest_count++;
	}
	for (size_t i = 0; i < p->largest_count; i++)
		p->largest[i]->shown = true;
}

static void take_files(struct process_report *p, struct file_report *files, size_t count)
{
	p->files =
		files + find_owned(files, count, sizeof(*files),
				   offsetof(struct file_report, owner), p->owner, &p->file_count);
	choose_files(p);
}

static int threads_by_owner_and_wall(const void *a, const void *b)
{
	const struct thread_report *x = a, *y = b;
	int order = compare_numbers(x->owner, y->owner);

	if (!order)
		order = compare_numbers(ledger_wall_ns(&y->ledger), ledger_wall_ns(&x->ledger));
	return order ? order : compare_numbers((uint64_t)x->tid, (uint64_t)y->tid);
}

/* A row for each thread that is still in the table and lived in the window. */
static struct thread_report *list_threads(const struct sample *from, const struct sample *to,
					  size_t *count)
{
	struct thread_report *rows = calloc(to->thread_count + 1, sizeof(*rows));

	*count = 0;
	for (size_t i = 0; rows && i < to->thread_count; i++) {
		const struct thread *thread = &to->threads[i];
		struct thread_report *row = &rows[*count];

		if (thread->life == THREAD_FREE)
			continue;
		row->owner = ledger_owner(to, thread);
		row->tid = (pid_t)thread->tid;
		memcpy(row->comm, thread->comm, COMM_LEN);
		row->comm[COMM_LEN] = '\0';
		ledger_of_thread(&row->ledger, from, to, i, LEDGER_ALL);
		ledger_of_thread(&row->waiting, from, to, i, LEDGER_WAITING);
		if (ledger_wall_ns(&row->ledger))
			(*count)++;
	}
	if (rows)
		qsort(rows, *count, sizeof(*rows), threads_by_owner_and_wall);
	return rows;
}

static void take_threads(struct process_report *p, const struct thread_report *rows, size_t count)
{
	p->thread_rows =
		rows + find_owned(rows, count, sizeof(*rows), offsetof(struct thread_report, owner),
				  p->owner, &p->thread_count);
}

static bool is_listed(const struct process_report *p, const struct owner *o, bool everybody)
{
	bool did_io = false;

	for (size_t i = 0; i < p->io_count; i++)
		did_io |= p->io[i].requests || p->io[i].bytes;
	return did_io || p->server ||
	       (o->kind == OWNER_PROCESS && !everybody && (!p->ended || p->end_s >= 0));
}

/* Places have the times of the tracepoints, classes those of the kernel: a few can be a little more. */
static void find_unplaced(struct process_report *p)
{
	p->unplaced_ns = ledger_storage_ns(&p->ledger);
	for (size_t i = 0; i < p->file_count; i++)
		p->unplaced_ns -=
			p->files[i].wait_ns < p->unplaced_ns ? p->files[i].wait_ns : p->unplaced_ns;
}

static void read_clock(struct process_report *p, const struct sample *from, const struct sample *to)
{
	const struct owner *o = &to->owners[p->owner].owner;

	if (o->trainer >= OWNER_FIRST && o->trainer < to->owner_count)
		p->trainer_pid = (pid_t)to->owners[o->trainer].owner.pid;
	p->clock_s = duration_seconds(ledger_clock_ns(from, to, p->owner));
	p->marked = o->marked;
	p->frameworks = to->owners[p->owner].frameworks;
}

/* How many entries the arrays of a report have. */
struct counts {
	size_t rows, files, threads;
};

/*
 * So much longer must the storage waits be than the requests take: several threads may wait for one
 * request, and a wait ends later than its request.
 */
static const double above_block_ratio = 2, above_block_s = 0.1, above_block_share = 0.02;

static void add_up_job(struct report *report, const struct process_report *p, uint32_t kind)
{
	if (!is_of_job(p->owner, kind))
		return;
	report->job_bytes += p->bytes;
	ledger_add(&report->job, &p->ledger);
	for (size_t i = 0; i < p->io_count; i++)
		if (!p->io[i].key.lower)
			report->job_block_s +=
				(double)(p->io[i].queue_ns + p->io[i].device_ns) / NS_PER_S;
}

static void judge_waits(struct report *report)
{
	double waits_s = (double)ledger_storage_ns(&report->job) / NS_PER_S;

	report->above_block =
		waits_s > above_block_ratio * report->job_block_s &&
		waits_s - report->job_block_s > above_block_s &&
		waits_s - report->job_block_s >
			above_block_share * (double)ledger_wall_ns(&report->job) / NS_PER_S;
}

static int build_processes(struct report *report, const struct sample *from,
			   const struct sample *to, bool everybody, const struct counts *counts)
{
	struct ledger *ledgers = ledger_by_owner(&report->scratch, from, to, LEDGER_ALL);
	struct ledger *waiting = ledger_by_owner(&report->scratch, from, to, LEDGER_WAITING);

	report->processes = calloc(to->owner_count + 1, sizeof(*report->processes));
	if (!report->processes || !ledgers || !waiting)
		return -ENOMEM;
	for (uint32_t i = OWNER_FOLDED; i < to->owner_count; i++) {
		struct process_report *p = &report->processes[report->process_count];
		const struct owner *o = &to->owners[i].owner;

		if (o->kind == OWNER_FREE)
			continue;
		describe(p, from, to, i);
		take_io(p, report->rows, counts->rows);
		take_files(p, report->files, counts->files);
		take_threads(p, report->thread_rows, counts->threads);
		p->ledger = ledgers[i];
		p->waiting = waiting[i];
		read_clock(p, from, to);
		if (to->source == SOURCE_BPF)
			find_unplaced(p);
		add_up_job(report, p, o->kind);
		if (is_listed(p, o, everybody))
			report->process_count++;
		else
			memset(p, 0, sizeof(*p));
	}
	qsort(report->processes, report->process_count, sizeof(*report->processes), by_bytes);
	return 0;
}

static int edges_by_blocked(const void *a, const void *b)
{
	const struct edge_report *x = a, *y = b;
	int order = compare_numbers(edge_blocked_ns(y), edge_blocked_ns(x));

	return order ? order : edge_compare_pairs(x, y);
}

static int build_edges(struct report *report, const struct sample *from, const struct sample *to)
{
	int err = edges_between(&report->edges, &report->edge_count, &report->scratch, from, to);

	if (!err)
		qsort(report->edges, report->edge_count, sizeof(*report->edges), edges_by_blocked);
	return err;
}

static struct device_report *find_device(struct report *report, uint32_t device)
{
	struct device_report *larger;

	for (size_t i = 0; i < report->device_count; i++)
		if (report->devices[i].device == device)
			return &report->devices[i];
	larger = reallocarray(report->devices, report->device_count + 1, sizeof(*larger));
	if (!larger)
		return NULL;
	report->devices = larger;
	larger += report->device_count++;
	*larger = (struct device_report){ .device = device };
	return larger;
}

static void device_add(struct device_report *d, const struct io_row *row, const struct owner *o)
{
	bool read = row->key.op == IO_READ, write = row->key.op == IO_WRITE;
	uint32_t owner = row->key.owner;
	uint64_t read_bytes = read ? row->bytes : 0, write_bytes = write ? row->bytes : 0;

	d->requests += row->requests;
	d->read_bytes += read_bytes;
	d->write_bytes += write_bytes;
	if (is_of_job(owner, o->kind)) {
		d->job_read_bytes += read_bytes;
		d->job_write_bytes += write_bytes;
	}
	if (owner == OWNER_UNKNOWN ||
	    (o->kind == OWNER_KERNEL && kernel_owner_of(o->cmdline).hides_owner)) {
		d->unattributed_read_bytes += read_bytes;
		d->unattributed_write_bytes += write_bytes;
	}
}

static void device_finish(struct device_report *d, const struct sample *from,
			  const struct sample *to)
{
	const struct disk_sample *now = sample_find_disk(to, d->device, 0);
	const struct disk_sample *then = sample_find_disk(from, d->device, 0);
	struct disk_delta delta;
	uint64_t seen, unowned;

	d->counted = to->source == SOURCE_BPF;
	/* A device that went away during the run is known from before only. */
	if (!now && !then) {
		snprintf(d->name, sizeof(d->name), "%u:%u", device_major(d->device),
			 device_minor(d->device));
		return;
	}
	memcpy(d->name, now ? now->name : then->name, sizeof(d->name));
	d->parent_count = device_parents(d->device, d->name, d->parents);
	if (!now || now->hidden)
		return;
	d->in_diskstats = true;
	disk_subtract(&delta, now, then);
	d->diskstats_read_bytes = delta.read_bytes;
	d->diskstats_write_bytes = delta.write_bytes;
	d->read = disk_read_mean(&delta);
	d->write = disk_write_mean(&delta);
	d->busy_known =
		then && disk_busy_pct(now, then, since(to->mono_ns, from->mono_ns), &d->busy_pct);
	if (to->source == SOURCE_PROC) {
		d->counted = true;
		d->requests = delta.requests;
		d->read_bytes = delta.read_bytes;
		d->write_bytes = delta.write_bytes;
		return;
	}
	seen = d->diskstats_read_bytes + d->diskstats_write_bytes;
	unowned = d->unattributed_read_bytes + d->unattributed_write_bytes;
	d->coverage_known = seen != 0;
	if (seen)
		d->coverage_pct =
			100.0 * (double)(d->read_bytes + d->write_bytes - unowned) / (double)seen;
}

static int devices_by_bytes(const void *a, const void *b)
{
	const struct device_report *x = a, *y = b;
	int order = compare_numbers(y->read_bytes + y->write_bytes, x->read_bytes + x->write_bytes);

	return order ? order : compare_numbers(x->device, y->device);
}

static int build_devices(struct report *report, const struct sample *from, const struct sample *to,
			 const struct device_choices *choices, size_t row_count)
{
	for (size_t i = 0; i < choices->count; i++)
		if (!find_device(report, choices->list[i].range.shown))
			return -ENOMEM;
	for (size_t i = 0; i < row_count; i++) {
		const struct io_row *row = &report->rows[i];
		struct device_report *d;

		if (!row->key.device || (!row->requests && !row->bytes))
			continue;
		d = find_device(report, row->key.device);
		if (!d)
			return -ENOMEM;
		device_add(d, row, &to->owners[row->key.owner].owner);
	}
	/* What the kernel counted on devices without a single request seen here is loss, not nothing. */
	for (size_t i = 0; i < to->disk_count; i++) {
		const struct disk_sample *now = &to->disks[i];
		const struct disk_sample *then = sample_find_disk(from, now->device, i);
		struct disk_delta delta;

		disk_subtract(&delta, now, then);
		if (then && !delta.read_bytes && !delta.write_bytes)
			continue;
		if (!now->partition &&
		    (!choices->count || device_is_chosen(choices, now->device)) &&
		    !find_device(report, now->device))
			return -ENOMEM;
	}
	for (size_t i = 0; i < report->device_count; i++)
		device_finish(&report->devices[i], from, to);
	if (report->device_count)
		qsort(report->devices, report->device_count, sizeof(*report->devices),
		      devices_by_bytes);
	return 0;
}

static void subtract_loss(struct loss *loss, const struct loss *to, const struct loss *from)
{
	loss->requests_untracked = to->requests_untracked - from->requests_untracked;
	loss->completions_unmatched = to->completions_unmatched - from->completions_unmatched;
	loss->events_missed = to->events_missed - from->events_missed;
	loss->processes_dropped =
		to->processes_dropped; /* also before the window: rows are missing */
	loss->threads_dropped = to->threads_dropped;
	loss->dirtiers_unknown = to->dirtiers_unknown - from->dirtiers_unknown;
	loss->files_dropped = to->files_dropped - from->files_dropped;
	loss->keys_folded = to->keys_folded - from->keys_folded;
	loss->edges_dropped = to->edges_dropped - from->edges_dropped;
}

static void name_place(struct concurrency_report *c, const struct concurrency *now,
		       const struct sample *to)
{
	const struct disk_sample *disk = sample_find_disk(to, now->number, 0);

	c->device = now->kind == CONCURRENCY_DEVICE;
	if (c->device && disk)
		text_copy(c->name, sizeof(c->name), disk->name);
	for (size_t i = 0; !c->device && i < to->file_count; i++)
		if (to->files[i].mount && to->files[i].file_system == now->number) {
			text_copy(c->name, sizeof(c->name), to->files[i].mount);
			break;
		}
}

static int build_concurrency(struct report *report, const struct sample *from,
			     const struct sample *to)
{
	report->concurrency = calloc(to->concurrency_count + 1, sizeof(*report->concurrency));
	if (!report->concurrency)
		return -ENOMEM;
	for (size_t i = 0; i < to->concurrency_count; i++) {
		const struct concurrency *now = &to->concurrency[i];
		const struct concurrency *then =
			i < from->concurrency_count ? &from->concurrency[i] : NULL;
		struct concurrency_report *c = &report->concurrency[report->concurrency_count];
		uint64_t all = 0;

		for (int k = 0; k < CONCURRENCY_CLASSES; k++) {
			uint64_t ns = now->ns[k] - (then ? then->ns[k] : 0);

			c->count[k] = now->count[k] - (then ? then->count[k] : 0);
			c->mean_s[k] =
				c->count[k] ? (double)ns / (double)c->count[k] / NS_PER_S : 0;
			all += c->count[k];
		}
		if (!all)
			continue;
		name_place(c, now, to);
		report->concurrency_count++;
	}
	return 0;
}

static void build_pressure(struct report *report, const struct sample *from,
			   const struct sample *to)
{
	double us = report->seconds * NS_PER_S / NS_PER_US;

	for (int i = 0; i < PRESSURES; i++) {
		const struct pressure_sample *now = &to->pressure[i], *then = &from->pressure[i];
		struct pressure_report *p = &report->pressure[i];

		p->known = now->known && then->known && us > 0;
		if (!p->known)
			continue;
		p->some_pct = 100 * (double)counter_delta(now->some_us, then->some_us) / us;
		p->full_pct = 100 * (double)counter_delta(now->full_us, then->full_us) / us;
	}
}

/*
 * A share p that is found by n looks has the standard error sqrt(p (1 - p) / n), the largest at one half. Of a wait longer than
 * the time between two looks it is known better than that.
 */
static void count_looks(struct report *report, const struct sample *from, const struct sample *to)
{
	static const double standard_errors = 1.96;

	report->source = to->source;
	report->looks = counter_delta(to->looks, from->looks);
	if (report->looks)
		report->margin_pct = 100 * standard_errors * sqrt(.25 / (double)report->looks);
}

int report_build(struct report *report, const struct sample *from, const struct sample *to,
		 bool everybody, const struct device_choices *choices)
{
	struct counts counts;
	int err;

	memset(report, 0, sizeof(*report));
	report->start = from->wall;
	report->seconds = since(to->mono_ns, from->mono_ns);
	count_looks(report, from, to);
	subtract_loss(&report->loss, &to->loss, &from->loss);
	build_pressure(report, from, to);
	report->has_ledger = to->has_ledger;
	report->compat_sleeps = to->compat_sleeps - from->compat_sleeps;
	report->rows = rows_between(&report->scratch, from, to, &counts.rows);
	report->files = subtract_files(from, to, &counts.files);
	report->thread_rows = list_threads(from, to, &counts.threads);
	if (!report->rows || !report->files || !report->thread_rows) {
		report_free(report);
		return -ENOMEM;
	}
	err = build_processes(report, from, to, everybody, &counts);
	if (!err)
		err = build_concurrency(report, from, to);
	if (!err)
		err = build_edges(report, from, to);
	/* Waits are those for all devices: requests of some cannot explain them. */
	if (!err && !choices->count && to->source == SOURCE_BPF)
		judge_waits(report);
	if (!err)
		err = build_devices(report, from, to, choices, counts.rows);
	if (err)
		report_free(report);
	return err;
}

const struct process_report *report_find_process(const struct report *report, pid_t pid)
{
	for (size_t i = 0; i < report->process_count; i++)
		if (report->processes[i].pid == pid)
			return &report->processes[i];
	return NULL;
}

const struct limits *report_find_limits(const struct report *report, pid_t pid)
{
	for (size_t i = 0; i < report->limits_count; i++)
		if (report->limits[i].pid == pid)
			return &report->limits[i];
	return NULL;
}

const char *report_device_name(const struct report *report, uint32_t device)
{
	for (size_t i = 0; i < report->device_count; i++)
		if (report->devices[i].device == device)
			return report->devices[i].name;
	return "";
}

void report_free(struct report *report)
{
	free(report->processes);
	free(report->devices);
	free(report->files);
	free(report->thread_rows);
	free(report->concurrency);
	scratch_free(&report->scratch);
	memset(report, 0, sizeof(*report));
}
