// SPDX-License-Identifier: BSD-2-Clause
/* Rows of `whystall stat`. */
#include <string.h>

#include "base/units.h"
#include "show/csv.h"
#include "show/json.h"
#include "show/show.h"
#include "show/verdict.h"

/* The columns after time and device, in their order. */
static const enum metric columns[] = { M_READ_MB_S,   M_WRITE_MB_S,   M_REQUESTS_S,   M_READ_P50_US,
				       M_READ_P99_US, M_WRITE_P50_US, M_WRITE_P99_US, M_UTIL_PCT,
				       M_WAITING_PCT, M_BLAME,        M_ON_CPU,       M_IN_RUNQUEUE,
				       M_IN_STORAGE,  M_IN_NETWORK,   M_IN_IPC,       M_IN_LOCK,
				       M_IN_GPU,      M_IN_SLEEP,     M_IN_OTHER };

enum {
	COLUMN_COUNT = sizeof(columns) / sizeof(columns[0]),
	JOB_COLUMNS = M_IN_OTHER - M_WAITING_PCT + 1,
};

/* For people, columns that would be empty in every row are left out. */
static int text_columns(const struct rates *rates)
{
	return rates->threads.known ? COLUMN_COUNT : COLUMN_COUNT - JOB_COLUMNS;
}

struct value {
	bool known;
	double value;
	const char *text; /* in place of it */
};

static struct value number(bool known, double value)
{
	return (struct value){ .known = known, .value = value };
}

static void get_values(const struct rates *r, const struct verdict *waiting,
		       struct value values[COLUMN_COUNT])
{
	const char *blame = waiting ? show_largest_blame(waiting) : NULL;
	const struct value all[COLUMN_COUNT] = {
		number(true, r->read_mb_s),
		number(true, r->write_mb_s),
		number(true, r->requests_s),
		number(r->read.known, r->read.p50_ns / NS_PER_US),
		number(r->read.known, r->read.p99_ns / NS_PER_US),
		number(r->write.known, r->write.p50_ns / NS_PER_US),
		number(r->write.known, r->write.p99_ns / NS_PER_US),
		number(r->busy_known, r->busy_pct),
		number(waiting != NULL, waiting ? waiting->input_bound_pct : 0),
		{ .text = blame },
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

	for (int i = 0; i < COLUMN_COUNT; i++)
		values[i] = all[i];
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
	struct value values[COLUMN_COUNT];
	char time[16] = "";
	struct tm tm;

	if (row % context->rows_per_header == 0) {
		/* The keys of CSV and JSON: one name for one thing, and awk can find the columns. */
		fprintf(out, "%-8s %-10s", metrics[M_TIME].key, metrics[M_DEVICE].key);
		for (int i = 0; i < text_columns(rates); i++)
			fprintf(out, " %*s", width(columns[i]), metrics[columns[i]].key);
		fprintf(out, "\n");
	}
	if (localtime_r(&rates->time.tv_sec, &tm))
		strftime(time, sizeof(time), "%H:%M:%S", &tm);
	fprintf(out, "%-8s %-10s", time, rates->name);
	get_values(rates, context->waiting, values);
	for (int i = 0; i < text_columns(rates); i++)
		if (values[i].text)
			fprintf(out, " %*s", width(columns[i]), values[i].text);
		else if (values[i].known)
			fprintf(out, " %*.1f", width(columns[i]), values[i].value);
		else
			fprintf(out, " %*s", width(columns[i]), "-");
	fprintf(out, "\n");
	return 0;
}

int show_rates_csv(FILE *out, const struct rates *rates, unsigned long row,
		   const struct show_context *context)
{
	struct value values[COLUMN_COUNT];
	char time[64];

	if (row == 0) {
		fprintf(out, "%s,%s", metrics[M_TIME].key, metrics[M_DEVICE].key);
		for (int i = 0; i < COLUMN_COUNT; i++)
			fprintf(out, ",%s", metrics[columns[i]].key);
		fprintf(out, "\n");
	}
	fprintf(out, "%s,", time_format(time, sizeof(time), &rates->time));
	csv_field(out, rates->name);
	get_values(rates, context->waiting, values);
	for (int i = 0; i < COLUMN_COUNT; i++)
		if (values[i].text)
			fprintf(out, ",%s", values[i].text);
		else if (values[i].known)
			fprintf(out, ",%.6f", values[i].value);
		else
			fputc(',', out);
	fprintf(out, "\n");
	return 0;
}

int show_rates_json(FILE *out, const struct rates *rates, unsigned long row,
		    const struct show_context *context)
{
	struct json_builder b = { .root = json_object() };
	struct value values[COLUMN_COUNT];
	char time[64];

	(void)row;
	json_add_text(&b, b.root, metrics[M_TIME].key,
		      time_format(time, sizeof(time), &rates->time));
	json_add_text(&b, b.root, metrics[M_DEVICE].key, rates->name);
	get_values(rates, context->waiting, values);
	for (int i = 0; i < COLUMN_COUNT; i++)
		if (values[i].text)
			json_add_text(&b, b.root, metrics[columns[i]].key, values[i].text);
		else if (values[i].known)
			json_add_real(&b, b.root, metrics[columns[i]].key, values[i].value);
		else
			json_add_null(&b, b.root, metrics[columns[i]].key);
	return json_finish(&b, out, true);
}
