// SPDX-License-Identifier: BSD-2-Clause
/* The report as CSV: one line per process, device, operation and cause. */
#include <inttypes.h>

#include "base/units.h"
#include "show/csv.h"
#include "show/metrics.h"
#include "show/show.h"

static const enum metric leading[] = { M_PID,   M_PPID,     M_COMM,  M_DEVICE, M_OP,
				       M_CAUSE, M_REQUESTS, M_BYTES, M_ERRORS };

/* "queue_mean_us", ... : the figure's name inside the name of the latency. */
static void print_latency_header(FILE *out, const char *which)
{
	struct latency_figure figures[LATENCY_FIGURES];
	const struct latency none = { .known = false };

	latency_figures(&none, figures);
	for (int i = 0; i < LATENCY_FIGURES; i++)
		fprintf(out, ",%s_%s_us", which, metrics[figures[i].metric].key);
}

static void print_latency(FILE *out, const struct latency *latency)
{
	struct latency_figure figures[LATENCY_FIGURES];

	latency_figures(latency, figures);
	for (int i = 0; i < LATENCY_FIGURES; i++)
		if (latency->known)
			fprintf(out, ",%.3f", figures[i].ns / NS_PER_US);
		else
			fputc(',', out);
}

/* All that /proc tells of a process's I/O, in the same columns. */
static void print_bytes(FILE *out, const struct io_row *row)
{
	fprintf(out, ",%s,,,%" PRIu64 ",", op_names[row->key.op], (uint64_t)row->bytes);
	for (int i = 0; i < 2 * LATENCY_FIGURES; i++)
		fputc(',', out);
	fputc('\n', out);
}

static void print_row(FILE *out, const struct report *report, const struct process_report *p,
		      const struct io_row *row)
{
	struct latency queue = io_queue_latency(row), device = io_device_latency(row);

	fprintf(out, "%d,", p->pid);
	if (p->pid)
		fprintf(out, "%d", p->ppid);
	fputc(',', out);
	csv_field(out, p->comm);
	fputc(',', out);
	if (report->source == SOURCE_PROC) {
		print_bytes(out, row);
		return;
	}
	csv_field(out, report_device_name(report, row->key.device));
	fprintf(out, ",%s,%s,%" PRIu64 ",%" PRIu64 ",%" PRIu64, op_names[row->key.op],
		cause_names[row->key.cause], (uint64_t)row->requests, (uint64_t)row->bytes,
		(uint64_t)row->errors);
	print_latency(out, &queue);
	print_latency(out, &device);
	fputc('\n', out);
}

int show_report_csv(FILE *out, const struct report *report, const struct show_context *context)
{
	(void)context;
	for (size_t i = 0; i < sizeof(leading) / sizeof(leading[0]); i++)
		fprintf(out, "%s%s", i ? "," : "", metrics[leading[i]].key);
	print_latency_header(out, "queue");
	print_latency_header(out, "device");
	fputc('\n', out);
	for (size_t i = 0; i < report->process_count; i++)
		for (size_t j = 0; j < report->processes[i].io_count; j++) {
			const struct io_row *row = &report->processes[i].io[j];

			if (row->requests || row->bytes)
				print_row(out, report, &report->processes[i], row);
		}
	return 0;
}
