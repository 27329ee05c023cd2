// SPDX-License-Identifier: BSD-2-Clause
/* The report for people. */
#include <inttypes.h>
#include <string.h>

#include "base/text.h"
#include "base/units.h"
#include "show/debug.h"
#include "show/ledger_text.h"
#include "show/metrics.h"
#include "show/show.h"
#include "show/verdict.h"
#include "show/what_if.h"

/* Histograms are drawn for this many processes, those that moved the most bytes. */
enum { HISTOGRAM_PROCESSES = 3, TEXT_FILES = 3, BAR_WIDTH = 40, NAME_LEN = 80, PATH_LEN = 1024 };

/* A time for a narrow column: "85.2us", without a blank. */
static const char *format_latency(char *out, size_t size, bool known, double ns)
{
	char text[32];
	size_t used = 0;

	if (!known)
		return "-";
	duration_format(text, sizeof(text), ns);
	for (const char *p = text; *p && used < size - 1; p++)
		if (*p != ' ')
			out[used++] = *p;
	out[used] = '\0';
	return out;
}

/* "write", and "write (wb)" for writeback. */
static const char *op_label(const struct io_row *row)
{
	return row->key.cause == CAUSE_WRITEBACK ? "write (wb)" : op_names[row->key.op];
}

static void print_latency(FILE *out, const struct latency *latency)
{
	const double ns[] = { latency->p50_ns, latency->p90_ns, latency->p99_ns, latency->max_ns };
	char text[32];

	for (size_t i = 0; i < sizeof(ns) / sizeof(ns[0]); i++)
		fprintf(out, " %7s", format_latency(text, sizeof(text), latency->known, ns[i]));
}

static void print_bytes(FILE *out, const struct io_row *row)
{
	char bytes[32];

	fprintf(out, "%-10s %10s\n", op_names[row->key.op],
		bytes_format(bytes, sizeof(bytes), row->bytes));
}

static void print_heading(FILE *out, enum sample_source source)
{
	if (source == SOURCE_PROC) {
		fprintf(out, "\n%-10s %10s\n", metrics[M_OP].heading, metrics[M_BYTES].heading);
		return;
	}
	fprintf(out, "\n%-32s %29s   %s\n", "", "QUEUE latency (Q to D)",
		"DEVICE latency (D to C)");
	fprintf(out, "%-10s %-10s %9s", metrics[M_DEVICE].heading, metrics[M_OP].heading,
		metrics[M_REQUESTS].heading);
	fprintf(out, " %10s", metrics[M_BYTES].heading);
	for (int i = 0; i < 2; i++)
		fprintf(out, " %7s %7s %7s %7s", metrics[M_P50].heading, metrics[M_P90].heading,
			metrics[M_P99].heading, metrics[M_MAX].heading);
	fprintf(out, "\n");
}

static void print_io(FILE *out, const struct report *report, const struct io_row *row)
{
	struct latency queue = io_queue_latency(row), device = io_device_latency(row);
	char bytes[32];

	fprintf(out, "%-10s %-10s %9" PRIu64 " %10s", report_device_name(report, row->key.device),
		op_label(row), (uint64_t)row->requests,
		bytes_format(bytes, sizeof(bytes), row->bytes));
	print_latency(out, &queue);
	print_latency(out, &device);
	if (row->errors)
		fprintf(out, "  %" PRIu64 " failed", (uint64_t)row->errors);
	fprintf(out, "\n");
}

/* "4711 python3: python3 train.py", or "[kernel]: jbd2/sda1-8" for a row that is no process. */
static void print_label(FILE *out, const struct process_report *p)
{
	char comm[4 * sizeof(p->comm)], cmdline[4 * NAME_LEN], raw[NAME_LEN];

	text_escape(comm, sizeof(comm), p->comm, TEXT_PLAIN);
	text_copy(raw, sizeof(raw), p->cmdline);
	text_escape(cmdline, sizeof(cmdline), raw, TEXT_PLAIN);
	if (p->pid)
		fprintf(out, "%d ", p->pid);
	fprintf(out, "%s%s%s", comm, cmdline[0] ? ": " : "", cmdline);
}

/* Below the column of bytes. */
static void print_file(FILE *out, const struct file_report *file)
{
	char path[4 * PATH_LEN], raw[PATH_LEN], bytes[32];

	text_copy(raw, sizeof(raw), file->path);
	text_escape(path, sizeof(path), raw, TEXT_PLAIN);
	fprintf(out, "%42s  %s\n", bytes_format(bytes, sizeof(bytes), file->bytes), path);
}

static void print_process(FILE *out, const struct report *report, const struct process_report *p)
{
	fputc('\n', out);
	print_label(out, p);
	if (p->pid && p->ended)
		fprintf(out, " (ended after %.1f s)", p->end_s);
	if (p->pid == 0 && p->threads)
		fprintf(out, " %u processes", p->threads);
	fprintf(out, "\n");
	for (size_t i = 0; i < p->io_count; i++)
		if (report->source == SOURCE_PROC && p->io[i].bytes)
			print_bytes(out, &p->io[i]);
		else if (p->io[i].requests || p->io[i].bytes)
			print_io(out, report, &p->io[i]);
	for (size_t i = 0; i < p->largest_count && i < TEXT_FILES; i++)
		print_file(out, p->largest[i]);
	if (p->files_moved > TEXT_FILES)
		fprintf(out, "%32s  and %zu more file%s\n", "", p->files_moved - TEXT_FILES,
			p->files_moved - TEXT_FILES == 1 ? "" : "s");
}

static void print_bar(FILE *out, uint64_t count, uint64_t largest)
{
	int width = largest ? (int)(count * BAR_WIDTH / largest) : 0;

	if (count && !width)
		width = 1;
	fprintf(out, " %9" PRIu64 " |%.*s%*s|\n", count, width,
		"****************************************", BAR_WIDTH - width, "");
}

/* Device latency by powers of two, from the first class with entries to the last. */
static void print_histogram(FILE *out, const struct io_row *row)
{
	uint64_t powers[HISTOGRAM_POWERS], largest = 0;
	unsigned int first = HISTOGRAM_POWERS, last = 0;

	histogram_to_powers(row->device, powers);
	for (unsigned int i = 0; i < HISTOGRAM_POWERS; i++) {
		if (!powers[i])
			continue;
		if (first == HISTOGRAM_POWERS)
			first = i;
		last = i;
		if (powers[i] > largest)
			largest = powers[i];
	}
	for (unsigned int i = first; i <= last && i < HISTOGRAM_POWERS; i++) {
		uint64_t upper = histogram_power_upper_ns(i);
		char low[32], high[32];

		duration_format(low, sizeof(low), i ? (double)histogram_power_upper_ns(i - 1) : 0);
		if (upper == UINT64_MAX)
			text_copy(high, sizeof(high), "more");
		else
			duration_format(high, sizeof(high), (double)upper);
		fprintf(out, "  %9s .. %-9s", low, high);
		print_bar(out, powers[i], largest);
	}
}

static void print_histograms(FILE *out, const struct report *report)
{
	for (size_t i = 0; i < report->process_count && i < HISTOGRAM_PROCESSES; i++) {
		const struct process_report *p = &report->processes[i];

		for (size_t j = 0; j < p->io_count; j++) {
			if (!io_device_latency(&p->io[j]).known)
				continue;
			fprintf(out, "\nDevice latency, %s on %s, ", op_label(&p->io[j]),
				report_device_name(report, p->io[j].key.device));
			print_label(out, p);
			fputc('\n', out);
			print_histogram(out, &p->io[j]);
		}
	}
}

static void print_parents(FILE *out, const struct device_report *d)
{
	for (size_t i = 0; i < d->parent_count; i++)
		fprintf(out, "%s%s", i ? ", " : "  part of ", d->parents[i]);
}

/* By the kernel's own statistics alone. */
static void print_devices_of_proc(FILE *out, const struct report *report)
{
	if (!report->device_count)
		return;
	fprintf(out, "\n%-10s %9s %10s %10s  READ MEAN  WRITE MEAN     UTIL\n",
		metrics[M_DEVICE].heading, metrics[M_REQUESTS].heading,
		metrics[M_READ_BYTES].heading, metrics[M_WRITE_BYTES].heading);
	for (size_t i = 0; i < report->device_count; i++) {
		const struct device_report *d = &report->devices[i];
		char read[32], written[32], read_mean[32], write_mean[32];

		if (!d->counted) {
			fprintf(out, "%-10s  went away\n", d->name);
			continue;
		}
		fprintf(out, "%-10s %9" PRIu64 " %10s %10s  %9s  %10s", d->name, d->requests,
			bytes_format(read, sizeof(read), d->read_bytes),
			bytes_format(written, sizeof(written), d->write_bytes),
			format_latency(read_mean, sizeof(read_mean), d->read.known,
				       d->read.mean_ns),
			format_latency(write_mean, sizeof(write_mean), d->write.known,
				       d->write.mean_ns));
		if (d->busy_known)
			fprintf(out, "  %5.1f %%", d->busy_pct);
		else
			fprintf(out, "        -");
		print_parents(out, d);
		fprintf(out, "\n");
	}
}

static void print_devices(FILE *out, const struct report *report)
{
	static const enum metric columns[] = {
		M_READ_BYTES,  M_JOB_READ_BYTES,  M_UNATTRIBUTED_READ_BYTES,
		M_WRITE_BYTES, M_JOB_WRITE_BYTES, M_UNATTRIBUTED_WRITE_BYTES
	};

	if (!report->device_count)
		return;
	fprintf(out, "\n%-10s %9s", metrics[M_DEVICE].heading, metrics[M_REQUESTS].heading);
	for (size_t i = 0; i < sizeof(columns) / sizeof(columns[0]); i++)
		fprintf(out, " %10s", metrics[columns[i]].heading);
	fprintf(out, "  %s\n", metrics[M_COVERAGE_PCT].heading);
	for (size_t i = 0; i < report->device_count; i++) {
		const struct device_report *d = &report->devices[i];
		const uint64_t bytes[] = {
			d->read_bytes,  d->job_read_bytes,  d->unattributed_read_bytes,
			d->write_bytes, d->job_write_bytes, d->unattributed_write_bytes
		};
		char text[32];

		fprintf(out, "%-10s %9" PRIu64, d->name, d->requests);
		for (size_t j = 0; j < sizeof(bytes) / sizeof(bytes[0]); j++)
			fprintf(out, " %10s", bytes_format(text, sizeof(text), bytes[j]));
		if (d->coverage_known)
			fprintf(out, "  %.1f %%", d->coverage_pct);
		else
			fprintf(out, "  -");
		print_parents(out, d);
		fprintf(out, "\n");
	}
}

static void print_loss(FILE *out, const struct report *report)
{
	struct loss_figure figures[LOSS_FIGURES];
	int count = loss_figures(report->source, &report->loss, figures);
	bool first = true;

	for (int i = 0; i < count; i++) {
		const struct metric_info *metric = &metrics[figures[i].metric];

		if (!figures[i].count)
			continue;
		if (first)
			fprintf(out, "\nLoss:\n");
		first = false;
		fprintf(out, "  %" PRIu64 " %s (%s)\n", figures[i].count, metric->heading,
			metric->help);
	}
}

static const double least_pressure_pct = 1;

static void print_pressure(FILE *out, const struct report *report)
{
	bool first = true;

	for (int i = 0; i < PRESSURES; i++) {
		const struct pressure_report *p = &report->pressure[i];

		if (!p->known || p->some_pct < least_pressure_pct)
			continue;
		fprintf(out, "%s%s %.1f %%", first ? "\nThe host lacked: " : ", ",
			pressure_names[i], p->some_pct);
		if (p->full_pct >= 0.05)
			fprintf(out, " (for all %.1f %%)", p->full_pct);
		first = false;
	}
	if (!first)
		fprintf(out, " of the time\n");
}

static bool has_io(const struct process_report *p)
{
	for (size_t i = 0; i < p->io_count; i++)
		if (p->io[i].requests || p->io[i].bytes)
			return true;
	return false;
}

/* Each line once, in plural where it is of several. */
static void print_silent(FILE *out, size_t processes, const char *what)
{
	if (processes)
		fprintf(out, "\n%zu process%s %s\n", processes, processes == 1 ? "" : "es", what);
}

static void print_processes(FILE *out, const struct report *report, size_t processes)
{
	size_t with_io = 0, unknown = 0;

	for (size_t i = 0; i < report->process_count; i++) {
		const struct process_report *p = &report->processes[i];

		unknown += p->pid && !p->server && !p->io_known;
		if (!has_io(p))
			continue;
		if (!with_io++)
			print_heading(out, report->source);
		print_process(out, report, p);
	}
	print_silent(out, processes > with_io + unknown ? processes - with_io - unknown : 0,
		     "without block I/O");
	print_silent(out, unknown, "whose block I/O is not known: /proc/PID/io could not be read");
}

int show_report_text(FILE *out, const struct report *report, const struct show_context *context)
{
	size_t processes = 0;
	char text[32];
	int err = 0;

	for (size_t i = 0; i < report->process_count; i++)
		processes += report->processes[i].pid != 0 && !report->processes[i].server;
	fprintf(out, "%.1f s, %zu process%s, %s of block I/O (source: %s)\n", report->seconds,
		processes, processes == 1 ? "" : "es",
		bytes_format(text, sizeof(text), report->job_bytes), context->source);
	if (report->has_ledger)
		show_verdicts_text(out, context->verdicts, report);
	print_processes(out, report, processes);
	if (report->has_ledger)
		err = show_ledger_text(out, report, context->threads);
	print_histograms(out, report);
	print_pressure(out, report);
	if (report->source == SOURCE_PROC)
		print_devices_of_proc(out, report);
	else
		print_devices(out, report);
	print_loss(out, report);
	if (context->debug && report->has_ledger) {
		show_debug_text(out, report);
		if (context->verdicts)
			show_untold_text(out, context->verdicts, report);
	}
	return err;
}
