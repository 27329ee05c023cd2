/* SPDX-License-Identifier: BSD-2-Clause */
/* A trainer's data, and whether memory has room for it. Its sentences are in words.h. */
#ifndef WHYSTALL_SHOW_DATASET_H
#define WHYSTALL_SHOW_DATASET_H

#include "judge/judge.h"
#include "judge/what_if.h"
#include "model/report.h"
#include "show/json.h"

/* Nothing where none is known. */
void show_dataset_json(struct json_builder *b, json_t *row, const struct verdict *verdict,
		       const struct report *report, const struct what_ifs *what_ifs);

#endif
