/* SPDX-License-Identifier: BSD-2-Clause */
/* What this kernel offers, found in its BTF; never by its version. */
#ifndef WHYSTALL_COLLECT_FEATURES_H
#define WHYSTALL_COLLECT_FEATURES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

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
	TP_WRITEBACK_DIRTY_FOLIO,
	TP_BLOCK_BIO_QUEUE,
	TP_BLOCK_BIO_COMPLETE,
	TP_SCHED_SWITCH,
	TP_SCHED_WAKEUP,
	TP_SCHED_WAKING,
	TP_MM_FILEMAP_FAULT,
	TP_COUNT,
};

struct feature_tracepoint_info {
	const char *name;
	bool needed;      /* for the main job */
	const char *lost; /* what does not work without it */
};

extern const struct feature_tracepoint_info feature_tracepoints[TP_COUNT];

/* Members of the kernel's structures that the programs can do without, in the order of feature_members. */
enum feature_member {
	MEMBER_PAGE_HEAD,
	MEMBER_DENTRY_ALIAS,
	MEMBER_BIO_CGROUP,
	MEMBER_MM_OWNER,
	MEMBER_COUNT,
};

struct feature_member_info {
	const char *name;   /* what it is for */
	const char *type;   /* structure */
	const char *any[2]; /* the member, by one of these names */
	const char *lost;   /* what does not work without it */
};

extern const struct feature_member_info feature_members[MEMBER_COUNT];

struct features {
	bool btf;
	bool preemptible;       /* a task may be preempted inside a program, see bpf/twice.bpf.h */
	bool has_preempt_count; /* x86: where a processor's preemption count is, */
	int64_t preempt_count_at; /* in bytes from its run queue on */
	bool counts_disabled; /* that count has bits for disabled interrupts, see bpf/edges.bpf.h */
	bool tracepoint[TP_COUNT];
	bool member[MEMBER_COUNT];
};

struct btf;

/* The kernel's BTF, for btf__free(); NULL with `fault` set where there is none. */
struct btf *features_load_btf(struct fault *fault);

/*
 * Look for each tracepoint's prototype (btf_trace_NAME) and each member in the kernel's BTF. Names in the environment
 * variable WHYSTALL_WITHOUT, with commas between, count as absent tracepoints: for tests of the paths of other
 * kernels.
 */
void features_read(struct features *features, const struct btf *btf);

/* Both. Returns 0, or a negative errno with `fault` set when there is no BTF. */
int features_probe(struct features *features, struct fault *fault);

#endif
