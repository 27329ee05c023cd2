/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The collector over BPF: loads and attaches the programs of bpf/, finds the job's first members, and
 * copies the maps into samples.
 */
#ifndef WHYSTALL_COLLECT_BPF_SOURCE_H
#define WHYSTALL_COLLECT_BPF_SOURCE_H

#include <stdbool.h>

#include "base/fault.h"
#include "collect/device.h"
#include "collect/markers.h"
#include "collect/sample.h"
#include "collect/target.h"

struct bpf_source;

enum { DEFAULT_MAX_KEYS = 2048, LARGEST_MAX_KEYS = 65536 };

struct bpf_source_options {
	const struct target *target;
	const struct device_choices *devices; /* with an empty list all devices count */
	uint32_t max_keys;
	/*
	 * Threads that end keep rows of their own, while there is room; who ends whose wait is noted, and frameworks' calls
	 * for the next batch.
	 */
	bool for_judge;
	bool thread_names; /* each thread has the name that it gave itself last */
};

/*
 * Load, attach and adopt; from here on everything is counted. Returns 0, or a negative errno with
 * `fault` set (exit code 77 when it is not permitted or the kernel lacks what is needed).
 */
int bpf_source_open(struct bpf_source **result, const struct bpf_source_options *options,
		    struct fault *fault);

/* Replace the contents of `sample` by the counters of now. Returns 0 or a negative errno. */
int bpf_source_read(struct bpf_source *source, struct sample *sample, struct fault *fault);

/* The same with processes, threads and edges alone, which is cheaper. */
int bpf_source_read_threads(struct bpf_source *source, struct sample *sample, struct fault *fault);

/*
 * Add to the sample what each owner moved for each file, since bpf_source_open(); `with_paths`: and where
 * the files are. Returns 0 or a negative errno.
 */
int bpf_source_read_files(struct bpf_source *source, struct sample *sample, bool with_paths,
			  struct fault *fault);

/*
 * To be called right after opening and now and then (each interval): looks up in /proc what BPF cannot know, makes
 * room in the tables by adding up exited processes, and attaches to the input markers that the job has mapped since.
 */
int bpf_source_tidy(struct bpf_source *source, struct fault *fault);

/* Are input markers watched? Then bpf_source_tidy() needs CAP_SYS_ADMIN, or finds none. */
bool bpf_source_has_markers(const struct bpf_source *source);

/* Do they work? For a job that whystall itself belongs to. Returns 0 or a negative errno. */
int bpf_source_try_markers(struct bpf_source *source, struct fault *fault);

/*
 * Readable when a process has joined the job by its control group: then call bpf_source_find_joined(), which
 * finds the threads that it has. -1 without -c.
 */
int bpf_source_joined_fd(const struct bpf_source *source);
int bpf_source_find_joined(struct bpf_source *source, struct fault *fault);

/*
 * To be called before the last read: where requests look in flight that were just issued, wait the
 * few milliseconds after which one whose completion was missed can be told.
 */
void bpf_source_settle(const struct bpf_source *source);

/*
 * The process with this place in samples' owners works for that at `trainer`, and its waiting clock follows its thread
 * `clock_tid`. Nothing happens if the place has another process by now, which started at another time.
 */
void bpf_source_assign(struct bpf_source *source, uint32_t owner, uint64_t start_boot_ns,
		       uint32_t trainer, pid_t clock_tid);

/*
 * From now on the threads of this process, which is outside the job, have ledgers too, measured by the waiting clock of the
 * process at `trainer` in samples' owners; nothing else that it does is counted. At most MAX_SERVERS processes; one that is
 * of the job stays what it is. Returns 0, -ENOSPC, or another negative errno.
 */
int bpf_source_serve(struct bpf_source *source, pid_t pid, uint32_t trainer);

/* Has any process of the job been found so far? */
bool bpf_source_job_found(const struct bpf_source *source);

/* Is any process of the job alive? */
bool bpf_source_job_alive(const struct bpf_source *source);

/* Requests that found their place in the table taken; they are not lost. */
uint64_t bpf_source_spilled(const struct bpf_source *source);

/* Detach and free; NULL is allowed. */
void bpf_source_close(struct bpf_source *source);

#endif
