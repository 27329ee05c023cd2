/* SPDX-License-Identifier: BSD-2-Clause */
/* How much faster it would go, in words and in JSON. Used by show/verdict.c and by the report's showers. */
#ifndef WHYSTALL_SHOW_WHAT_IF_H
#define WHYSTALL_SHOW_WHAT_IF_H

#include <stdio.h>

#include "judge/judge.h"
#include "judge/what_if.h"
#include "show/json.h"

/* A line of a verdict; none where nothing is told. */
void show_what_if_text(FILE *out, const struct what_ifs *what_ifs, const struct verdict *verdict);

/* Add the member "what_if". */
void show_what_if_json(struct json_builder *b, json_t *verdict, const struct what_ifs *what_ifs);

/* What is not told, and why. */
void show_untold_text(FILE *out, const struct verdicts *verdicts, const struct report *report);
void show_untold_json(struct json_builder *b, const struct verdicts *verdicts,
		      const struct report *report);

#endif
