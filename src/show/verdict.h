/* SPDX-License-Identifier: BSD-2-Clause */
/* What the judge found, in words and in JSON. */
#ifndef WHYSTALL_SHOW_VERDICT_H
#define WHYSTALL_SHOW_VERDICT_H

#include <stdio.h>

#include "judge/judge.h"
#include "show/json.h"

void show_verdicts_text(FILE *out, const struct verdicts *verdicts, const struct report *report);
void show_verdicts_json(struct json_builder *b, const struct verdicts *verdicts,
			const struct report *report);

/* What a class is called; and that with the largest part of the blame, NULL where there is none. */
const char *show_class_name(enum verdict_class class);
const char *show_largest_blame(const struct verdict *v);

#endif
