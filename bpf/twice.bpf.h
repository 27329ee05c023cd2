/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Programs on a tracepoint, with further ones of each for when the first is skipped.
 *
 * The kernel does not run a program on a CPU where it runs already. Since a46023d5616e ("tracing: Guard
 * __DECLARE_TRACE() use of __DO_TRACE_CALL() with SRCU-fast", v7.0) a task may be preempted inside a
 * program, and until it goes on, a whole time slice perhaps, the program sees nothing of what other tasks do on
 * that CPU. The second program is attached behind the first, and does the work that was not done. With more
 * than two tasks on a CPU, two may be preempted at the same time, one in each: what every request and every process passes has
 * a third program. One preempted in each of them is what remains; what of a request was missed so is counted.
 *
 * The programs must not tell by being inside whether another one is needed: a task is preempted as well after
 * the kernel's own mark and before any that a program sets. So the first notes what it has done, and the next one does
 * what is not noted. (Eight tasks on two processors of a virtual machine, 97,536 requests: 0.6 to 0.8 % lost an
 * event when being inside told, 0.1 % with two programs that note what they did, none with three.)
 */
#ifndef WHYSTALL_TWICE_BPF_H
#define WHYSTALL_TWICE_BPF_H

#include "config.bpf.h"
#include "maps.bpf.h"

/* In the low bits of a note, which are 0 in an address: the program that made it. */
enum { PROGRAM_MASK = 7 };

/* The event that was done last on this CPU, by its address; 0: none that is still to pass a program. */
static __always_inline volatile u64 *program_done(enum twice tracepoint)
{
	u32 index = tracepoint;

	return bpf_map_lookup_elem(&programs_done, &index);
}

/* Was it done by a program before this one? A note by one behind it is old. */
static __always_inline bool is_done_before(u64 note, u64 event, u32 program)
{
	return (note & ~(u64)PROGRAM_MASK) == event && (note & PROGRAM_MASK) < program;
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
 * BPF_PROG does one; TRACE_THRICE `name##_third` too. The body is told whether it is in the first. If not, it may still
 * come after one that was complete, when another task's note has replaced its own, and must then change nothing.
 *
 * An event is known by the address that is its first argument. TRACE_TWICE_BY(event, tracepoint, ...) has another one, where
 * several tasks can pass at the same time with the same first argument.
 *
 * RAW_TWICE(name, arguments...) is for several tracepoints with the same arguments, which are addresses.
 */
#define TRACE_TWICE(tracepoint, name, args...) TWICE("tp_btf/" tracepoint, ctx[0], name, args)
#define TRACE_TWICE_BY(event, tracepoint, name, args...) \
	TWICE("tp_btf/" tracepoint, event, name, args)
#define TRACE_THRICE(tracepoint, name, args...) THRICE("tp_btf/" tracepoint, name, args)
#define RAW_TWICE(name, args...) TWICE("raw_tp", ctx[0], name, args)

#define TWICE(section, event, name, args...)                      \
	FIRST_PROGRAM(section, event, name, args)                 \
	NEXT_PROGRAM(section, event, name, _again, 1, true, args) \
	static __always_inline int name##_body(bool again, unsigned long long *ctx, ##args)

#define THRICE(section, name, args...)                              \
	FIRST_PROGRAM(section, ctx[0], name, args)                  \
	NEXT_PROGRAM(section, ctx[0], name, _again, 1, false, args) \
	NEXT_PROGRAM(section, ctx[0], name, _third, 2, true, args)  \
	static __always_inline int name##_body(bool again, unsigned long long *ctx, ##args)

#define FIRST_PROGRAM(section, event, name, args...)                                         \
	static __always_inline int name##_body(bool again, unsigned long long *ctx, ##args); \
	SEC(section) int name(unsigned long long *ctx)                                       \
	{                                                                                    \
		volatile u64 *done = config_preemptible ? program_done(TWICE_##name) : NULL; \
                                                                                             \
		if (done)                                                                    \
			*done = 0;                                                           \
		TWICE_CALL(name##_body, false, ##args);                                      \
		if (done)                                                                    \
			*done = (event);                                                     \
		return 0;                                                                    \
	}

#define NEXT_PROGRAM(section, event, name, suffix, program, last, args...) \
	SEC("?" section) int name##suffix(unsigned long long *ctx)         \
	{                                                                  \
		volatile u64 *done = program_done(TWICE_##name);           \
                                                                           \
		if (!done)                                                 \
			return 0;                                          \
		if (is_done_before(*done, event, program)) {               \
			if (last)                                          \
				*done = 0;                                 \
			return 0;                                          \
		}                                                          \
		*done = 0;                                                 \
		TWICE_CALL(name##_body, true, ##args);                     \
		if (!last)                                                 \
			*done = (event) + (program);                       \
		return 0;                                                  \
	}

#endif
