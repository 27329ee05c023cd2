/* SPDX-License-Identifier: BSD-2-Clause */
/* What the processes and threads of the job have used. A part of proc_job: see there. */
#ifndef WHYSTALL_COLLECT_PROC_USAGE_H
#define WHYSTALL_COLLECT_PROC_USAGE_H

#include "collect/proc_job.h"

/* Read the bytes of all processes, and part them from those of children that have ended. Returns 0 or -ENOMEM. */
int proc_usage_bytes(struct proc_job *job);

/* Find the threads of all processes, and read their times. Returns 0 or -ENOMEM. */
int proc_usage_threads(struct proc_job *job, uint64_t mono_ns, uint64_t boot_ns);

/* All threads of a process have ended. */
void proc_usage_end_threads(struct proc_job *job, struct proc_process *process);

/* Boot-time nanoseconds of the kernel's ticks. */
uint64_t proc_ticks_ns(uint64_t ticks);

#endif
