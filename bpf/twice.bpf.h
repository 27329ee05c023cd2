/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Programs on a tracepoint, with a second one of each where the first may be skipped.
 *
 * The kernel does not run a program on a CPU where it runs already. Since a46023d5616e ("tracing: Guard
 * __DECLARE_TRACE() use of __DO_TRACE_CALL() with SRCU-fast", v7.0) a task may be preempted inside a
 * program, and until it goes on the program sees nothing of what other tasks do on that CPU: of 3,214
 * requests up to 112 were missed so, with two busy processors. The second program is attached behind the
 * first. It does the work while the first one is inside another task; one preempted in each at the
 * same time is what remains, and is counted like any other event that was missed.
 */
#ifndef WHYSTALL_TWICE_BPF_H
#define WHYSTALL_TWICE_BPF_H

#include "config.bpf.h"
#include "maps.bpf.h"

/* How many tasks are inside a program on this CPU: 0, or the one that others are skipped for. */
static __always_inline volatile u64 *program_inside(enum twice program)
{
	u32 index = program;

	return bpf_map_lookup_elem(&programs_inside, &index);
}

/* The arguments as BPF_PROG casts them, some to integers. */
#define TWICE_CALL(body, again, args...)                                \
	do {                                                            \
		_Pragma("GCC diagnostic push");                         \
		_Pragma("GCC diagnostic ignored \"-Wint-conversion\""); \
		body(again, ___bpf_ctx_cast(args));                     \
		_Pragma("GCC diagnostic pop");                          \
	} while (0)

/*
 * TRACE_TWICE(tracepoint, name, arguments...) { body } defines the programs `name` and `name##_again`, as
 * BPF_PROG does one. The body is told which of them it is: the second may come after a complete first
 * one, when its task was preempted between the two, and must then change nothing.
 *
 * RAW_TWICE(name, arguments...) is for several tracepoints with the same arguments, which are addresses.
 */
#define TRACE_TWICE(tracepoint, name, args...) TWICE("tp_btf/" tracepoint, name, args)
#define RAW_TWICE(name, args...) TWICE("raw_tp", name, args)

#define TWICE(section, name, args...)                                                            \
	static __always_inline int name##_body(bool again, unsigned long long *ctx, ##args);     \
	SEC(section) int name(unsigned long long *ctx)                                           \
	{                                                                                        \
		volatile u64 *inside = config_preemptible ? program_inside(TWICE_##name) : NULL; \
                                                                                                 \
		if (inside)                                                                      \
			++*inside;                                                               \
		TWICE_CALL(name##_body, false, ##args);                                          \
		if (inside)                                                                      \
			--*inside;                                                               \
		return 0;                                                                        \
	}                                                                                        \
	SEC("?" section) int name##_again(unsigned long long *ctx)                               \
	{                                                                                        \
		volatile u64 *inside = program_inside(TWICE_##name);                             \
                                                                                                 \
		if (inside && *inside)                                                           \
			TWICE_CALL(name##_body, true, ##args);                                   \
		return 0;                                                                        \
	}                                                                                        \
	static __always_inline int name##_body(bool again, unsigned long long *ctx, ##args)

#endif
