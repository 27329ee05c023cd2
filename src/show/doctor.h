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
	bool needed; /* for the main job */
	char detail[512];
	char remedy[256]; /* "" where nothing is to be done */
};

enum { MAX_DOCTOR_CHECKS = 48 };

struct doctor_report {
	bool works;
	char kernel[128];
	struct doctor_check checks[MAX_DOCTOR_CHECKS];
	size_t count;
};

int show_doctor_text(FILE *out, const struct doctor_report *report);
int show_doctor_json(FILE *out, const struct doctor_report *report);

#endif
