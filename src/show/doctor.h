/* SPDX-License-Identifier: BSD-2-Clause */
/* What `whystall doctor` found. */
#ifndef WHYSTALL_SHOW_DOCTOR_H
#define WHYSTALL_SHOW_DOCTOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct doctor_check {
	char name[64];
	bool ok;
	bool needed; /* for BPF */
	char detail[512];
	char remedy[384]; /* "" where nothing is to be done */
};

enum { MAX_DOCTOR_CHECKS = 48 };

struct doctor_report {
	struct {
		bool bpf, proc;
	} sources; /* with which the main job works */
	char kernel[128];
	struct doctor_check checks[MAX_DOCTOR_CHECKS];
	size_t count;
};

static inline bool doctor_works(const struct doctor_report *report)
{
	return report->sources.bpf || report->sources.proc;
}

int show_doctor_text(FILE *out, const struct doctor_report *report);
int show_doctor_json(FILE *out, const struct doctor_report *report);

#endif
