/* SPDX-License-Identifier: BSD-2-Clause */
/* The threads of the job, and their times. A part of proc_job: see there. */
#ifndef WHYSTALL_COLLECT_PROC_THREADS_H
#define WHYSTALL_COLLECT_PROC_THREADS_H

#include "collect/proc_job.h"

/* Find the threads of all processes, and read their times. Returns 0 or -ENOMEM. */
int proc_threads_read(struct proc_job *job, uint64_t mono_ns, uint64_t boot_ns);

/* The kernel's ticks in nanoseconds. */
uint64_t proc_ticks_ns(uint64_t ticks);

#endif
