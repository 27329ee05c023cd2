/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The collector over /proc, for those who may not use BPF: counters of processes, threads and disks as the kernel keeps them, and looks at what
 * threads do. See docs/rootless.md.
 */
#ifndef WHYSTALL_COLLECT_PROC_SOURCE_H
#define WHYSTALL_COLLECT_PROC_SOURCE_H

#include <stdbool.h>

#include "base/fault.h"
#include "collect/sample.h"
#include "collect/target.h"

struct proc_source;

enum { DEFAULT_LOOKS_PER_S = 20, MOST_LOOKS_PER_S = 1000 };

struct proc_source_options {
	const struct target *target; /* is kept */
	const char *
		root; /* "": the system; else what /proc and cgroups are below, for tests; is kept */
	unsigned int
		looks_per_s; /* 0: DEFAULT_LOOKS_PER_S, or fewer where those would cost more than 1 % of a processor */
	bool for_judge; /* else a whole host is its disks alone: its processes are too many to be read for rows of sums */
};

/* What could not be read. */
struct proc_gaps {
	uint64_t vanished;  /* processes that were gone before their last counters were read */
	uint64_t denied;    /* processes whose bytes may not be read */
	uint64_t malformed; /* files that could not be understood */
};

/* Find the job. Returns 0, or a negative errno with `fault` set (exit code 77 where /proc cannot be read). */
int proc_source_open(struct proc_source **result, const struct proc_source_options *options,
		     struct fault *fault);

/* As those of bpf_source.h. */
int proc_source_read(struct proc_source *source, struct sample *sample, struct fault *fault);

/* Add the pressure of the host to a sample. */
void proc_source_read_pressure(const struct proc_source *source, struct sample *sample);
int proc_source_read_threads(struct proc_source *source, struct sample *sample,
			     struct fault *fault);
void proc_source_assign(struct proc_source *source, uint32_t owner, uint64_t start_boot_ns,
			uint32_t trainer, pid_t clock_tid);
bool proc_source_job_found(const struct proc_source *source);
bool proc_source_job_alive(struct proc_source *source);

/* To be called right after PROGRAM has been executed, and at ticks: words of those that are new. */
void proc_source_tidy(struct proc_source *source);

/* Readable when it is time for a look: then call proc_source_tick(). */
int proc_source_tick_fd(const struct proc_source *source);
int proc_source_tick(struct proc_source *source, struct fault *fault);

uint64_t proc_source_looks(const struct proc_source *source);

void proc_source_gaps(const struct proc_source *source, struct proc_gaps *gaps);

/* NULL is allowed. */
void proc_source_close(struct proc_source *source);

#endif
