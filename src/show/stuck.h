/* SPDX-License-Identifier: BSD-2-Clause */
/* What a stuck job hangs on, in words and in JSON. Names in sentences are escaped for a terminal. */
#ifndef WHYSTALL_SHOW_STUCK_H
#define WHYSTALL_SHOW_STUCK_H

#include <stdio.h>

#include "judge/judge.h"
#include "show/json.h"
#include "show/words.h"

/* Add lines: for how long, who waits for whom, and what is at the end of it. */
void stuck_describe(struct evidence *evidence, const struct stuck_finding *finding,
		    const struct stuck *stuck);

/* The waits of a verdict; nothing where it is not stuck. */
void show_stuck_text(FILE *out, const struct verdict *verdict);

/* Add the member "waits", which is empty where it is not stuck. */
void show_stuck_json(struct json_builder *b, json_t *verdict_row, const struct verdict *verdict);

/* What to do about it, and why. Returns false where it is not stuck, or nothing is known to help. */
bool stuck_advise(struct advice_words *words, const struct verdict *verdict);

#endif
