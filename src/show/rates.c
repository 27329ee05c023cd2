// SPDX-License-Identifier: BSD-2-Clause
/* Rows of `whystall stat`. */
#include <string.h>

#include "base/units.h"
#include "show/csv.h"
#include "show/json.h"
#include "show/show.h"
#include "show/verdict.h"

/* The columns after time and device, in their order. */
static const enum metric device_columns[] = { M_READ_MB_S,    M_WRITE_MB_S,  M_REQUESTS_S,
					      M_READ_P50_US,  M_READ_P99_US, M_WRITE_P50_US,
					      M_WRITE_P99_US, M_UTIL_PCT };
static const enum metric device_columns_of_proc[] = { M_READ_MB_S,    M_WRITE_MB_S,    M_REQUESTS_S,
						      M_READ_MEAN_US, M_WRITE_MEAN_US, M_UTIL_PCT };
static const enum metric job_columns[] = { M_WAITING_PCT, M_BLAME,      M_ON_CPU,  M_IN_RUNQUEUE,
					   M_IN_STORAGE,  M_IN_NETWORK, M_IN_IPC,  M_IN_LOCK,
					   M_IN_GPU,      M_IN_SLEEP,   M_IN_OTHER };

enum {
	DEVICE_COLUMNS = sizeof(device_columns) / sizeof(device_columns[0]),
	DEVICE_COLUMNS_OF_PROC = sizeof(device_columns_of_proc) / sizeof(device_columns_of_proc[0]),
	JOB_COLUMNS = sizeof(job_columns) / sizeof(job_columns[0]),
	COLUMNS_MAX = DEVICE_COLUMNS + JOB_COLUMNS,
};

struct value {
	enum metric metric;
	bool known;
	double value;
	const char *text; /* in place of it */
};

struct row {
	struct value values[COLUMNS_MAX];
	int count;
};

static struct value number(bool known, double value)
{
	return (struct value){ .known = known, .value = value };
}

static void row_add(struct row *row, const enum metric *columns, const struct value *values,
		    int count)
{
	for (int i = 0; i < count; i++) {
		row->values[row->count] = values[i];
		row->values[row->count++].metric = columns[i];
	}
}

static void add_device(struct row *row, const struct rates *r)
{
	const struct value values[DEVICE_COLUMNS] = {
		number(r->bytes_known, r->read_mb_s),
		number(r->bytes_known, r->write_mb_s),
		number(r->requests_known, r->requests_s),
		number(r->read.known, r->read.p50_ns / NS_PER_US),
		number(r->read.known, r->read.p99_ns / NS_PER_US),
		number(r->write.known, r->write.p50_ns / NS_PER_US),
		number(r->write.known, r->write.p99_ns / NS_PER_US),
		number(r->busy_known, r->busy_pct),
	};

	row_add(row, device_columns, values, DEVICE_COLUMNS);
}

static void add_device_of_proc(struct row *row, const struct rates *r)
{
	const struct value values[DEVICE_COLUMNS_OF_PROC] = {
		number(r->bytes_known, r->read_mb_s),
		number(r->bytes_known, r->write_mb_s),
		number(r->requests_known, r->requests_s),
		number(r->read.known, r->read.mean_ns / NS_PER_US),
		number(r->write.known, r->write.mean_ns / NS_PER_US),
		number(r->busy_known, r->busy_pct),
	};

	row_add(row, device_columns_of_proc, values, DEVICE_COLUMNS_OF_PROC);
}

static void add_job(struct row *row, const struct rates *r, const struct verdict *waiting)
{
	const struct value values[JOB_COLUMNS] = {
		number(waiting != NULL, waiting ? waiting->input_bound_pct : 0),
		{ .text = waiting ? show_largest_blame(waiting) : NULL },
		number(r->threads.known, r->threads.cpu),
		number(r->threads.known, r->threads.runqueue),
		number(r->threads.known, r->threads.storage),
		number(r->threads.known, r->threads.network),
		number(r->threads.known, r->threads.ipc),
		number(r->threads.known, r->threads.lock),
		number(r->threads.known, r->threads.gpu),
		number(r->threads.known, r->threads.sleep),
		number(r->threads.known, r->threads.other),
	};

	row_add(row, job_columns, values, JOB_COLUMNS);
}

static void fill_row(struct row *row, const struct rates *rates, const struct show_context *context,
		     bool with_job)
{
	row->count = 0;
	if (rates->source == SOURCE_PROC)
		add_device_of_proc(row, rates);
	else
		add_device(row, rates);
	if (with_job)
		add_job(row, rates, context->waiting);
}

/* A column is as wide as its heading. */
static int width(enum metric metric)
{
	/* The longest class that blame can be. */
	return metric == M_BLAME ? 8 : (int)strlen(metrics[metric].key);
}

int show_rates_text(FILE *out, const struct rates *rates, unsigned long row,
		    const struct show_context *context)
{
	char time[16] = "";
	struct row shown;
	struct tm tm;

	/* For people, columns that would be empty in every row are left out. */
	fill_row(&shown, rates, context, rates->threads.known);
	if (row % context->rows_per_header == 0) {
		/* The keys of CSV and JSON: one name for one thing, and awk can find the columns. */
		fprintf(out, "%-8s %-10s", metrics[M_TIME].key, metrics[M_DEVICE].key);
		for (int i = 0; i < shown.count; i++)
			fprintf(out, " %*s", width(shown.values[i].metric),
				metrics[shown.values[i].metric].key);
		fprintf(out, "\n");
	}
	if (localtime_r(&rates->time.tv_sec, &tm))
		strftime(time, sizeof(time), "%H:%M:%S", &tm);
	fprintf(out, "%-8s %-10s", time, rates->name);
	for (int i = 0; i < shown.count; i++) {
		const struct value *v = &shown.values[i];

		if (v->text)
			fprintf(out, " %*s", width(v->metric), v->text);
		else if (v->known)
			fprintf(out, " %*.1f", width(v->metric), v->value);
		else
			fprintf(out, " %*s", width(v->metric), "-");
	}
	fprintf(out, "\n");
	return 0;
}

int show_rates_csv(FILE *out, const struct rates *rates, unsigned long row,
		   const struct show_context *context)
{
	struct row shown;
	char time[64];

	fill_row(&shown, rates, context, true);
	if (row == 0) {
		fprintf(out, "%s,%s", metrics[M_TIME].key, metrics[M_DEVICE].key);
		for (int i = 0; i < shown.count; i++)
			fprintf(out, ",%s", metrics[shown.values[i].metric].key);
		fprintf(out, "\n");
	}
	fprintf(out, "%s,", time_format(time, sizeof(time), &rates->time));
	csv_field(out, rates->name);
	for (int i = 0; i < shown.count; i++)
		if (shown.values[i].text)
			fprintf(out, ",%s", shown.values[i].text);
		else if (shown.values[i].known)
			fprintf(out, ",%.6f", shown.values[i].value);
		else
			fputc(',', out);
	fprintf(out, "\n");
	return 0;
}

int show_rates_json(FILE *out, const struct rates *rates, unsigned long row,
		    const struct show_context *context)
{
	struct json_builder b;
	struct row shown;
	char time[64];

	(void)row;
	json_begin(&b, context->scratch);
	json_add_text(&b, b.root, metrics[M_TIME].key,
		      time_format(time, sizeof(time), &rates->time));
	json_add_text(&b, b.root, metrics[M_DEVICE].key, rates->name);
	fill_row(&shown, rates, context, true);
	for (int i = 0; i < shown.count; i++) {
		const struct value *v = &shown.values[i];

		if (v->text)
			json_add_text(&b, b.root, metrics[v->metric].key, v->text);
		else if (v->known)
			json_add_real(&b, b.root, metrics[v->metric].key, v->value);
		else
			json_add_null(&b, b.root, metrics[v->metric].key);
	}
	return json_finish(&b, out, true);
}
