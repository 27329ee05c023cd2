// SPDX-License-Identifier: BSD-2-Clause
/* The report as one JSON object: schema whystall.report/1, docs/report.md. */
#include <math.h>
#include <string.h>
#include <sys/utsname.h>

#include "base/units.h"
#include "show/debug.h"
#include "show/json.h"
#include "show/ledger_json.h"
#include "show/show.h"
#include "show/verdict.h"
#include "show/what_if.h"
#include "version.h"

static void add_tool(struct json_builder *b, const struct show_context *context)
{
	json_t *tool = json_open_object(b, b->root, "tool");
	struct utsname host;

	if (uname(&host) != 0)
		memset(&host, 0, sizeof(host));
	json_add_text(b, tool, "version", WHYSTALL_VERSION);
	json_add_text(b, tool, "source", context->source);
	json_add_text(b, tool, "kernel", host.release);
	json_add_text(b, tool, "host", host.nodename);
}

static void add_sampled(struct json_builder *b, json_t *window, const struct report *report)
{
	json_t *sampled = json_open_object(b, window, metrics[M_SAMPLED].key);

	json_add_count(b, sampled, metrics[M_LOOKS].key, report->looks);
	if (report->looks)
		json_add_real(b, sampled, metrics[M_MARGIN_PCT].key, report->margin_pct);
	else
		json_add_null(b, sampled, metrics[M_MARGIN_PCT].key);
}

static void add_window(struct json_builder *b, const struct report *report,
		       const struct show_context *context)
{
	json_t *window = json_open_object(b, b->root, "window");
	char time[64];

	json_add_text(b, window, "start", time_format(time, sizeof(time), &report->start));
	json_add_real(b, window, "seconds", report->seconds);
	json_add_real(b, window, "interval_s", context->interval_s);
	if (report->source == SOURCE_PROC)
		add_sampled(b, window, report);
}

/* What the kernel does not tell is absent. */
static void add_pressure(struct json_builder *b, const struct report *report)
{
	json_t *pressure = json_open_object(b, b->root, metrics[M_PRESSURE].key);

	for (int i = 0; i < PRESSURES; i++) {
		const struct pressure_report *p = &report->pressure[i];
		json_t *object;

		if (!p->known)
			continue;
		object = json_open_object(b, pressure, pressure_names[i]);
		json_add_real(b, object, metrics[M_SOME_PCT].key, p->some_pct);
		json_add_real(b, object, metrics[M_FULL_PCT].key, p->full_pct);
	}
}

static void add_latency(struct json_builder *b, json_t *io, enum metric metric,
			const struct latency *latency)
{
	struct latency_figure figures[LATENCY_FIGURES];
	json_t *object;

	if (!latency->known) {
		json_add_null(b, io, metrics[metric].key);
		return;
	}
	object = json_open_object(b, io, metrics[metric].key);
	latency_figures(latency, figures);
	for (int i = 0; i < LATENCY_FIGURES; i++)
		json_add_real(b, object, metrics[figures[i].metric].key,
			      round(figures[i].ns) / NS_PER_US);
}

static void add_histogram(struct json_builder *b, json_t *io, const struct io_row *row,
			  bool has_queue)
{
	json_t *histogram = json_open_array(b, io, "histogram");
	uint64_t queue[HISTOGRAM_POWERS], device[HISTOGRAM_POWERS];

	histogram_to_powers(row->queue, queue);
	histogram_to_powers(row->device, device);
	for (unsigned int i = 0; i < HISTOGRAM_POWERS; i++) {
		uint64_t upper = histogram_power_upper_ns(i);
		json_t *class;

		if (!queue[i] && !device[i])
			continue;
		class = json_open_object(b, histogram, NULL);
		if (upper == UINT64_MAX)
			json_add_null(b, class, metrics[M_LE_US].key);
		else
			json_add_real(b, class, metrics[M_LE_US].key, (double)upper / NS_PER_US);
		if (has_queue)
			json_add_count(b, class, metrics[M_QUEUE].key, queue[i]);
		else
			json_add_null(b, class, metrics[M_QUEUE].key);
		json_add_count(b, class, metrics[M_DEVICE].key, device[i]);
	}
}

static void add_io(struct json_builder *b, json_t *list, const struct report *report,
		   const struct io_row *row)
{
	struct latency queue = io_queue_latency(row), device = io_device_latency(row);
	json_t *io = json_open_object(b, list, NULL);

	json_add_text(b, io, metrics[M_DEVICE].key, report_device_name(report, row->key.device));
	json_add_text(b, io, metrics[M_OP].key, op_names[row->key.op]);
	json_add_count(b, io, metrics[M_REQUESTS].key, row->requests);
	json_add_count(b, io, metrics[M_BYTES].key, row->bytes);
	json_add_count(b, io, metrics[M_ERRORS].key, row->errors);
	json_add_text(b, io, metrics[M_CAUSE].key, cause_names[row->key.cause]);
	json_add(b, io, metrics[M_LOWER].key, json_boolean(row->key.lower));
	add_latency(b, io, M_QUEUE_US, &queue);
	add_latency(b, io, M_DEVICE_US, &device);
	add_histogram(b, io, row, queue.known);
}

/* Of a process's bytes /proc tells no more than these. */
static void add_bytes(struct json_builder *b, json_t *list, const struct io_row *row)
{
	static const enum metric unknown[] = { M_DEVICE, M_REQUESTS, M_ERRORS,   M_CAUSE,
					       M_LOWER,  M_QUEUE_US, M_DEVICE_US };
	json_t *io = json_open_object(b, list, NULL);

	json_add_text(b, io, metrics[M_OP].key, op_names[row->key.op]);
	json_add_count(b, io, metrics[M_BYTES].key, row->bytes);
	for (size_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++)
		json_add_null(b, io, metrics[unknown[i]].key);
	json_add_null(b, io, "histogram");
}

static void add_write_wait(struct json_builder *b, json_t *parent, const struct ledger *ledger)
{
	json_t *parts = json_open_object(b, parent, metrics[M_WRITE_WAIT_S].key);

	json_add_real(b, parts, metrics[M_FSYNC].key, duration_seconds(ledger->ns[LEDGER_FSYNC]));
	json_add_real(b, parts, metrics[M_DIRTY_LIMIT].key,
		      duration_seconds(ledger->ns[LEDGER_DIRTY_LIMIT]));
}

static void add_threads(struct json_builder *b, json_t *process, const struct process_report *p)
{
	json_t *list = json_open_array(b, process, metrics[M_THREAD_ROWS].key);

	for (size_t i = 0; i < p->thread_count; i++) {
		json_t *row = json_open_object(b, list, NULL);

		json_add_count(b, row, metrics[M_TID].key, (uint64_t)p->thread_rows[i].tid);
		json_add_text(b, row, metrics[M_COMM].key, p->thread_rows[i].comm);
		show_ledger_json(b, row, &p->thread_rows[i].ledger);
	}
}

static void add_ledger(struct json_builder *b, json_t *process, const struct report *report,
		       const struct process_report *p, const struct show_context *context)
{
	show_ledger_json(b, process, &p->ledger);
	add_write_wait(b, process, &p->ledger);
	if (!p->server && report->source == SOURCE_BPF)
		json_add_real(b, process, metrics[M_UNPLACED_WAIT_S].key,
			      duration_seconds(p->unplaced_ns));
	if (context->threads)
		add_threads(b, process, p);
}

static void add_job(struct json_builder *b, const struct report *report)
{
	json_t *job = json_open_object(b, b->root, "job");

	show_ledger_json(b, job, &report->job);
	add_write_wait(b, job, &report->job);
	json_add_real(b, job, metrics[M_STORAGE_WAIT_S].key,
		      duration_seconds(ledger_storage_ns(&report->job)));
	if (report->source == SOURCE_PROC)
		return;
	json_add_real(b, job, metrics[M_BLOCK_S].key, report->job_block_s);
	json_add(b, job, metrics[M_ABOVE_BLOCK_LAYER].key, json_boolean(report->above_block));
}

static void add_files(struct json_builder *b, json_t *process, const struct process_report *p,
		      bool has_ledger)
{
	json_t *list = json_open_array(b, process, "files");

	for (size_t i = 0; i < p->file_count; i++) {
		json_t *file;

		if (!p->files[i].shown)
			continue;
		file = json_open_object(b, list, NULL);
		json_add_text(b, file, metrics[M_PATH].key, p->files[i].path);
		if (p->files[i].mount)
			json_add_text(b, file, metrics[M_MOUNT].key, p->files[i].mount);
		else
			json_add_null(b, file, metrics[M_MOUNT].key);
		if (p->files[i].device_name[0])
			json_add_text(b, file, metrics[M_DEVICE].key, p->files[i].device_name);
		else
			json_add_null(b, file, metrics[M_DEVICE].key);
		json_add_count(b, file, metrics[M_BYTES].key, p->files[i].bytes);
		if (has_ledger)
			json_add_real(b, file, metrics[M_WAIT_S].key,
				      duration_seconds(p->files[i].wait_ns));
		else
			json_add_null(b, file, metrics[M_WAIT_S].key);
	}
}

static void add_io_rows(struct json_builder *b, json_t *process, const struct report *report,
			const struct process_report *p)
{
	json_t *io;

	if (!p->io_known) {
		json_add_null(b, process, "io");
		return;
	}
	io = json_open_array(b, process, "io");
	for (size_t i = 0; i < p->io_count; i++) {
		const struct io_row *row = &p->io[i];

		if (!row->requests && !row->bytes)
			continue;
		if (report->source == SOURCE_PROC)
			add_bytes(b, io, row);
		else
			add_io(b, io, report, row);
	}
}

static bool has_threads(const struct process_report *p)
{
	return p->pid || p->owner == OWNER_FOLDED || p->owner == OWNER_EXITED;
}

/* Of a server nothing but the time of its threads is known. */
static void add_not_measured(struct json_builder *b, json_t *process)
{
	json_add_null(b, process, metrics[M_BLOCK_S].key);
	json_add_null(b, process, "io");
	json_add_null(b, process, "files");
}

static void add_process(struct json_builder *b, json_t *list, const struct report *report,
			const struct process_report *p, const struct show_context *context)
{
	json_t *process = json_open_object(b, list, NULL);

	json_add_count(b, process, metrics[M_PID].key, (uint64_t)p->pid);
	if (p->pid) {
		json_add_count(b, process, metrics[M_PPID].key, (uint64_t)p->ppid);
		json_add_text(b, process, metrics[M_COMM].key, p->comm);
		json_add_text(b, process, metrics[M_CMDLINE].key, p->cmdline);
		if (p->server)
			json_add_text(b, process, metrics[M_ROLE].key, "server");
		if (p->cgroup[0])
			json_add_text(b, process, metrics[M_CGROUP].key, p->cgroup);
		else
			json_add_null(b, process, metrics[M_CGROUP].key);
		json_add_count(b, process, metrics[M_THREADS].key, p->threads);
		json_add_real(b, process, metrics[M_START_S].key, p->start_s);
		if (p->ended)
			json_add_real(b, process, metrics[M_END_S].key, p->end_s);
		else
			json_add_null(b, process, metrics[M_END_S].key);
	} else {
		json_add_text(b, process, metrics[M_COMM].key, p->comm);
		if (p->cmdline[0])
			json_add_text(b, process, metrics[M_CMDLINE].key, p->cmdline);
	}
	if (report->has_ledger && has_threads(p))
		add_ledger(b, process, report, p, context);
	if (p->server) {
		add_not_measured(b, process);
		return;
	}
	if (report->source == SOURCE_BPF)
		json_add_real(b, process, metrics[M_BLOCK_S].key, p->block_s);
	add_io_rows(b, process, report, p);
	if (report->source == SOURCE_BPF)
		add_files(b, process, p, report->has_ledger);
}

static void add_means(struct json_builder *b, json_t *device, const struct device_report *d)
{
	json_add_known_real(b, device, metrics[M_READ_MEAN_US].key, d->read.known,
			    d->read.mean_ns / NS_PER_US);
	json_add_known_real(b, device, metrics[M_WRITE_MEAN_US].key, d->write.known,
			    d->write.mean_ns / NS_PER_US);
	json_add_known_real(b, device, metrics[M_UTIL_PCT].key, d->busy_known, d->busy_pct);
}

static void add_device(struct json_builder *b, json_t *list, const struct device_report *d,
		       enum sample_source source)
{
	json_t *device = json_open_object(b, list, NULL);
	bool owners = source == SOURCE_BPF;
	json_t *parents;

	json_add_text(b, device, "name", d->name);
	json_add_count(b, device, "major", device_major(d->device));
	json_add_count(b, device, "minor", device_minor(d->device));
	parents = json_open_array(b, device, "parents");
	for (size_t i = 0; i < d->parent_count; i++)
		json_append_text(b, parents, d->parents[i]);
	json_add_known_count(b, device, metrics[M_REQUESTS].key, d->counted, d->requests);
	json_add_known_count(b, device, metrics[M_READ_BYTES].key, d->counted, d->read_bytes);
	json_add_known_count(b, device, metrics[M_WRITE_BYTES].key, d->counted, d->write_bytes);
	json_add_known_count(b, device, metrics[M_JOB_READ_BYTES].key, owners, d->job_read_bytes);
	json_add_known_count(b, device, metrics[M_JOB_WRITE_BYTES].key, owners, d->job_write_bytes);
	json_add_known_count(b, device, metrics[M_UNATTRIBUTED_READ_BYTES].key, owners,
			     d->unattributed_read_bytes);
	json_add_known_count(b, device, metrics[M_UNATTRIBUTED_WRITE_BYTES].key, owners,
			     d->unattributed_write_bytes);
	json_add_known_count(b, device, metrics[M_DISKSTATS_READ_BYTES].key, d->in_diskstats,
			     d->diskstats_read_bytes);
	json_add_known_count(b, device, metrics[M_DISKSTATS_WRITE_BYTES].key, d->in_diskstats,
			     d->diskstats_write_bytes);
	json_add_known_real(b, device, metrics[M_COVERAGE_PCT].key, d->coverage_known,
			    d->coverage_pct);
	if (source == SOURCE_PROC)
		add_means(b, device, d);
}

static void add_loss(struct json_builder *b, const struct report *report)
{
	json_t *object = json_open_object(b, b->root, "loss");
	struct loss_figure figures[LOSS_FIGURES];
	int count = loss_figures(report->source, &report->loss, figures);

	for (int i = 0; i < count; i++)
		json_add_count(b, object, metrics[figures[i].metric].key, figures[i].count);
}

int show_report_json(FILE *out, const struct report *report, const struct show_context *context)
{
	struct json_builder b = { .root = json_object() };
	json_t *list;

	json_add_text(&b, b.root, "schema", "whystall.report/1");
	add_tool(&b, context);
	add_window(&b, report, context);
	add_pressure(&b, report);
	if (report->has_ledger) {
		show_verdicts_json(&b, context->verdicts, report);
		add_job(&b, report);
	}
	list = json_open_array(&b, b.root, "processes");
	for (size_t i = 0; i < report->process_count; i++)
		add_process(&b, list, report, &report->processes[i], context);
	list = json_open_array(&b, b.root, "devices");
	for (size_t i = 0; i < report->device_count; i++)
		add_device(&b, list, &report->devices[i], report->source);
	add_loss(&b, report);
	if (context->debug && report->has_ledger) {
		show_debug_json(&b, report);
		if (context->verdicts)
			show_untold_json(&b, context->verdicts, report);
	}
	return json_finish(&b, out, false);
}
