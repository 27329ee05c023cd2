/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where samples come from: BPF, or /proc where BPF is not permitted or not possible. What each function does is said in
 * bpf_source.h; here, what it does of /proc.
 */
#ifndef WHYSTALL_COLLECT_SOURCE_H
#define WHYSTALL_COLLECT_SOURCE_H

#include <stdbool.h>

#include "base/fault.h"
#include "collect/device.h"
#include "collect/proc_source.h"
#include "collect/sample.h"
#include "collect/target.h"

struct source;

enum source_choice {
	SOURCE_CHOICE_BEST, /* BPF, or /proc where that is not permitted or the kernel lacks what it needs */
	SOURCE_CHOICE_BPF,
	SOURCE_CHOICE_PROC,
};

struct source_options {
	enum source_choice choice;
	const struct target *target; /* is kept */
	const struct device_choices *devices;
	uint32_t max_keys;
	bool for_judge;
	bool thread_names;
	unsigned int looks_per_s;
};

/* Returns 0, or a negative errno with `fault` set: exit code 77 where no source of the choice works. */
int source_open(struct source **result, const struct source_options *options, struct fault *fault);

enum sample_source source_kind(const struct source *source);

/* "bpf", "proc" */
const char *source_name(const struct source *source);

/* Why it is not BPF, which was tried first; "" where that was not asked for. */
const char *source_reason(const struct source *source);

int source_read(struct source *source, struct sample *sample, struct fault *fault);
int source_read_threads(struct source *source, struct sample *sample, struct fault *fault);

/* Add to a sample that was just read for want of what processes of this host could not go on. */
void source_read_pressure(const struct source *source, struct sample *sample);

/* /proc: there are none. */
int source_read_files(struct source *source, struct sample *sample, bool with_paths,
		      struct fault *fault);

/* /proc: cheap; right after PROGRAM has been executed it has a name by that. */
int source_tidy(struct source *source, struct fault *fault);

/* /proc: nothing to do. */
void source_settle(const struct source *source);

/* /proc: no. */
bool source_has_markers(const struct source *source);

/*
 * Readable when the source has something to do between reads: then call source_wake(). BPF: a process has joined the job by its
 * control group; -1 without -c. /proc: it is time for a look.
 */
int source_wake_fd(const struct source *source);
int source_wake(struct source *source, struct fault *fault);

void source_assign(struct source *source, uint32_t owner, uint64_t start_boot_ns, uint32_t trainer,
		   pid_t clock_tid);

/* /proc: -EOPNOTSUPP, since nobody knows what server serves. */
int source_serve(struct source *source, pid_t pid, uint32_t trainer);

bool source_job_found(const struct source *source);
bool source_job_alive(struct source *source);

/* BPF only; else 0. */
uint64_t source_spilled(const struct source *source);

/* /proc only; else 0. */
uint64_t source_looks(const struct source *source);
void source_gaps(const struct source *source, struct proc_gaps *gaps);

/* NULL is allowed. */
void source_close(struct source *source);

#endif
