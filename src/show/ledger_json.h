/* SPDX-License-Identifier: BSD-2-Clause */
/* Part of the report in JSON: the time of threads. Used by report_json.c and debug.c. */
#ifndef WHYSTALL_SHOW_LEDGER_JSON_H
#define WHYSTALL_SHOW_LEDGER_JSON_H

#include "model/ledger.h"
#include "show/json.h"

/* Add the member "time_s": the lifetime, and each class. */
void show_ledger_json(struct json_builder *b, json_t *parent, const struct ledger *ledger);

#endif
