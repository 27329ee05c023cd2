/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Looks at all threads of a job, and what they tell put into its ledgers: states, and waiting clocks. A clock follows the thread
 * that user space has named, or else the first one of its process.
 */
#ifndef WHYSTALL_COLLECT_PROC_LOOKS_H
#define WHYSTALL_COLLECT_PROC_LOOKS_H

#include "collect/proc_job.h"

struct proc_looks;

/* Both are kept. NULL when out of memory. */
struct proc_looks *proc_looks_new(struct proc_job *job, const char *root);

/* Look at each thread that is alive. Returns 0 or -ENOMEM. */
int proc_looks_take(struct proc_looks *looks, uint64_t now_ns);

/* After proc_job_refresh(): give the time that it left to be given to states. Returns 0 or -ENOMEM. */
int proc_looks_share(struct proc_looks *looks, uint64_t now_ns);

/* What this process has mapped, by its place: enum framework, a bit each; looked for when times are shared out. */
unsigned int proc_looks_frameworks(const struct proc_looks *looks, size_t process);

/* NULL is allowed. */
void proc_looks_free(struct proc_looks *looks);

#endif
