/* SPDX-License-Identifier: BSD-2-Clause */
/* What later figures are made from, for those who look into them (-v). Used by the report's showers. */
#ifndef WHYSTALL_SHOW_DEBUG_H
#define WHYSTALL_SHOW_DEBUG_H

#include "model/report.h"
#include "show/json.h"

/* Add the member "debug". */
void show_debug_json(struct json_builder *b, const struct report *report);

void show_debug_text(FILE *out, const struct report *report);

#endif
