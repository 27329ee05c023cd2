/* SPDX-License-Identifier: BSD-2-Clause */
/* Part of the report in text: what the threads of the job did. Used by report_text.c. */
#ifndef WHYSTALL_SHOW_LEDGER_TEXT_H
#define WHYSTALL_SHOW_LEDGER_TEXT_H

#include <stdbool.h>
#include <stdio.h>

#include "model/report.h"

/* A line for the job and for each process, the largest class first; `threads`: and for each thread. */
int show_ledger_text(FILE *out, const struct report *report, bool threads);

#endif
