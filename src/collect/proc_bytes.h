/* SPDX-License-Identifier: BSD-2-Clause */
/* What the processes of the job have read and written. A part of proc_job: see there. */
#ifndef WHYSTALL_COLLECT_PROC_BYTES_H
#define WHYSTALL_COLLECT_PROC_BYTES_H

#include "collect/proc_job.h"

/* Read the bytes of all processes, and part them from those of children that have ended. Returns 0 or -ENOMEM. */
int proc_bytes_read(struct proc_job *job);

#endif
