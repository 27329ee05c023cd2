// SPDX-License-Identifier: BSD-2-Clause
/* Rows of `whystall stat`. */
#include <string.h>

#include "base/units.h"
#include "show/csv.h"
#include "show/json.h"
#include "show/show.h"

/* The columns after time and device, in their order. */
static const enum metric columns[] = { M_READ_MB_S,   M_WRITE_MB_S,   M_REQUESTS_S,   M_READ_P50_US,
				       M_READ_P99_US, M_WRITE_P50_US, M_WRITE_P99_US, M_UTIL_PCT,
				       M_ON_CPU,      M_IN_RUNQUEUE,  M_IN_STORAGE,   M_IN_NETWORK,
				       M_IN_IPC,      M_IN_LOCK,      M_IN_GPU,       M_IN_SLEEP,
				       M_IN_OTHER };

enum {
	COLUMN_COUNT = sizeof(columns) / sizeof(columns[0]),
	LEDGER_COLUMNS = M_IN_OTHER - M_ON_CPU + 1,
};

/* For people, columns that would be empty in every row are left out. */
static int text_columns(const struct rates *rates)
{
	return rates->threads.known ? COLUMN_COUNT : COLUMN_COUNT - LEDGER_COLUMNS;
}

struct value {
	bool known;
	double value;
};

static void get_values(const struct rates *r, struct value values[COLUMN_COUNT])
{
	const struct value all[COLUMN_COUNT] = {
		{ true, r->read_mb_s },
		{ true, r->write_mb_s },
		{ true, r->requests_s },
		{ r->read.known, r->read.p50_ns / NS_PER_US },
		{ r->read.known, r->read.p99_ns / NS_PER_US },
		{ r->write.known, r->write.p50_ns / NS_PER_US },
		{ r->write.known, r->write.p99_ns / NS_PER_US },
		{ r->busy_known, r->busy_pct },
		{ r->threads.known, r->threads.cpu },
		{ r->threads.known, r->threads.runqueue },
		{ r->threads.known, r->threads.storage },
		{ r->threads.known, r->threads.network },
		{ r->threads.known, r->threads.ipc },
		{ r->threads.known, r->threads.lock },
		{ r->threads.known, r->threads.gpu },
		{ r->threads.known, r->threads.sleep },
		{ r->threads.known, r->threads.other },
	};

	for (int i = 0; i < COLUMN_COUNT; i++)
		values[i] = all[i];
}

/* A column is as wide as its heading. */
static int width(enum metric metric)
{
	return (int)strlen(metrics[metric].key);
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
			fprintf(out, " %s", metrics[columns[i]].key);
		fprintf(out, "\n");
	}
	if (localtime_r(&rates->time.tv_sec, &tm))
		strftime(time, sizeof(time), "%H:%M:%S", &tm);
	fprintf(out, "%-8s %-10s", time, rates->name);
	get_values(rates, values);
	for (int i = 0; i < text_columns(rates); i++)
		if (values[i].known)
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

	(void)context;
	if (row == 0) {
		fprintf(out, "%s,%s", metrics[M_TIME].key, metrics[M_DEVICE].key);
		for (int i = 0; i < COLUMN_COUNT; i++)
			fprintf(out, ",%s", metrics[columns[i]].key);
		fprintf(out, "\n");
	}
	fprintf(out, "%s,", time_format(time, sizeof(time), &rates->time));
	csv_field(out, rates->name);
	get_values(rates, values);
	for (int i = 0; i < COLUMN_COUNT; i++)
		if (values[i].known)
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
	(void)context;
	json_add_text(&b, b.root, metrics[M_TIME].key,
		      time_format(time, sizeof(time), &rates->time));
	json_add_text(&b, b.root, metrics[M_DEVICE].key, rates->name);
	get_values(rates, values);
	for (int i = 0; i < COLUMN_COUNT; i++)
		if (values[i].known)
			json_add_real(&b, b.root, metrics[columns[i]].key, values[i].value);
		else
			json_add_null(&b, b.root, metrics[columns[i]].key);
	return json_finish(&b, out, true);
}
