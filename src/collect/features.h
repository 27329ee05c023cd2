/* SPDX-License-Identifier: BSD-2-Clause */
/* What this kernel offers, found in its BTF; never by its version. */
#ifndef WHYSTALL_COLLECT_FEATURES_H
#define WHYSTALL_COLLECT_FEATURES_H

#include <stdbool.h>
#include <stddef.h>

#include "base/fault.h"

/* The tracepoints that the programs attach to, in the order of feature_tracepoints. */
enum feature_tracepoint {
	TP_BLOCK_IO_START,
	TP_BLOCK_GETRQ,
	TP_BLOCK_RQ_ISSUE,
	TP_BLOCK_RQ_COMPLETE,
	TP_BLOCK_RQ_REQUEUE,
	TP_BLOCK_RQ_MERGE,
	TP_BLOCK_BIO_BACKMERGE,
	TP_BLOCK_BIO_FRONTMERGE,
	TP_TASK_NEWTASK,
	TP_SCHED_PROCESS_EXEC,
	TP_SCHED_PROCESS_EXIT,
	TP_CGROUP_ATTACH_TASK,
	TP_MM_FILEMAP_ADD,
	TP_COUNT,
};

struct feature_tracepoint_info {
	const char *name;
	bool needed;      /* for the main job */
	const char *lost; /* what does not work without it */
};

extern const struct feature_tracepoint_info feature_tracepoints[TP_COUNT];

struct features {
	bool btf;
	bool tracepoint[TP_COUNT];
};

/*
 * Look for each tracepoint's prototype (btf_trace_NAME) in the kernel's BTF. Names in the environment
 * variable WHYSTALL_WITHOUT, with commas between, count as absent: for tests of the paths of other
 * kernels. Returns 0, or a negative errno with `fault` set when there is no BTF.
 */
int features_probe(struct features *features, struct fault *fault);

#endif
