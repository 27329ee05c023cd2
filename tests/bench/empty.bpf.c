// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * Programs that do nothing, on the tracepoints of a request and of a context switch: what the kernel takes for a
 * program there, bpf_stats_enabled itself included. Each has its tracepoint's name.
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "Dual BSD/GPL";

#define EMPTY(tracepoint)                                    \
	SEC("tp_btf/" #tracepoint) int tracepoint(void *ctx) \
	{                                                    \
		return 0;                                    \
	}

EMPTY(block_getrq)
EMPTY(block_io_start)
EMPTY(block_rq_issue)
EMPTY(block_rq_complete)
EMPTY(sched_switch)
EMPTY(sched_waking)
EMPTY(sched_wakeup)
