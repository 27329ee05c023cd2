/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Printing reports and rows in each format. Nothing is computed here beyond units. Errors of the
 * stream are left to whoever opened it (output.h); the functions return 0 or -ENOMEM.
 */
#ifndef WHYSTALL_SHOW_SHOW_H
#define WHYSTALL_SHOW_SHOW_H

#include <stdbool.h>
#include <stdio.h>

#include "judge/judge.h"
#include "model/rates.h"
#include "model/report.h"

enum format { FORMAT_TEXT, FORMAT_JSON, FORMAT_CSV };

/* What a report says about itself. */
struct show_context {
	const char *source; /* "bpf" */
	double interval_s;
	bool threads;                    /* rows of threads too */
	bool debug;                      /* what the figures are made from */
	unsigned long rows_per_header;   /* of `stat` in text */
	struct scratch *scratch;         /* likewise, for what a row needs; may be NULL */
	const struct verdicts *verdicts; /* of the report's trainers */
	const struct verdict
		*waiting; /* of a row of `stat`: the trainer that waited longest; NULL: none */
};

int show_report_text(FILE *out, const struct report *report, const struct show_context *context);
int show_report_json(FILE *out, const struct report *report, const struct show_context *context);
int show_report_csv(FILE *out, const struct report *report, const struct show_context *context);

/* One row of `stat`; `row` counts from 0, so that headers can be printed. */
int show_rates_text(FILE *out, const struct rates *rates, unsigned long row,
		    const struct show_context *context);
int show_rates_json(FILE *out, const struct rates *rates, unsigned long row,
		    const struct show_context *context);
int show_rates_csv(FILE *out, const struct rates *rates, unsigned long row,
		   const struct show_context *context);

/* All of a format's functions; a new format is one file and one row in `showers`. */
struct shower {
	const char *name; /* as -O takes it */
	bool has_threads; /* its report has rows of threads, if they are asked for */
	int (*report)(FILE *, const struct report *, const struct show_context *);
	int (*rates)(FILE *, const struct rates *, unsigned long row, const struct show_context *);
};

extern const struct shower showers[];
extern const unsigned int shower_count;

/* The figures of a latency, in the order in which every format shows them. */
enum { LATENCY_FIGURES = 6 };

struct latency_figure {
	unsigned int metric;
	double ns;
};

/* The counters of a loss, likewise. */
enum { LOSS_FIGURES = 9, LOSS_FIGURES_OF_PROC = 2 };

struct loss_figure {
	unsigned int metric;
	uint64_t count;
};

/* Those that a source can have; returns how many. */
int loss_figures(enum sample_source source, const struct loss *loss,
		 struct loss_figure figures[LOSS_FIGURES]);

void latency_figures(const struct latency *latency, struct latency_figure figures[LATENCY_FIGURES]);

#endif
