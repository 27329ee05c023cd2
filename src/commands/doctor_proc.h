/* SPDX-License-Identifier: BSD-2-Clause */
/* What whystall finds in /proc where BPF is not permitted. */
#ifndef WHYSTALL_COMMANDS_DOCTOR_PROC_H
#define WHYSTALL_COMMANDS_DOCTOR_PROC_H

#include "show/doctor.h"

/* Appends its checks, and sets `sources.proc`. */
void doctor_check_proc_source(struct doctor_report *report);

#endif
