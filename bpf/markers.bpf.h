/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The waiting clock of a process that calls input markers: it runs while any of its threads is inside one.
 *
 * Threads enter and leave at the same time on several processors. Each changes `inside` first and then sets the clock by
 * what `inside` is by then; both are atomic and full barriers, so of two that meet the later one sees what the other did,
 * and corrects it.
 */
#ifndef WHYSTALL_MARKERS_BPF_H
#define WHYSTALL_MARKERS_BPF_H

#include "owner.bpf.h"

/* Has the clock been brought in line with `inside`? */
static __always_inline bool marker_try(struct owner *o, u64 now)
{
	u64 before = *(volatile u64 *)&o->clock;
	bool runs = *(volatile u32 *)&o->inside != 0;
	u64 after = runs ? clock_start(before, now) : clock_read(before, now);

	if (before != after && __sync_val_compare_and_swap(&o->clock, before, after) != before)
		return false;
	return (*(volatile u32 *)&o->inside != 0) == runs;
}

/*
 * Each failed try is another thread's success; one that gives up is put right at the next entry or exit. (Not a loop: clang lays
 * it out so that its end falls through to its head, which the verifier of 6.1 takes for endless.)
 */
static __always_inline void marker_set_clock(struct owner *o, u64 now)
{
	(void)(marker_try(o, now) || marker_try(o, now) || marker_try(o, now) ||
	       marker_try(o, now) || marker_try(o, now) || marker_try(o, now));
}

/* `stack`: of the thread in user space, the lower half of its pointer, at the function's first instruction. */
static __always_inline void marker_enter(struct thread *thread, struct owner *o, u32 stack)
{
	if (thread->inside) {
		/* Of two markers one within the other, the outer one counts; unless it was left by an exception. */
		if ((s32)(stack - thread->marker_stack) > 0)
			thread->marker_stack = stack;
		return;
	}
	thread->inside = 1;
	thread->marker_stack = stack;
	/* From here on no state of a thread moves the clock, see clocks_add(). */
	o->marked = 1;
	__sync_fetch_and_add(&o->inside, 1);
	marker_set_clock(o, bpf_ktime_get_ns());
}

/* The thread is inside no marker any more; `o`: its process, NULL if that has given its place away. */
static __always_inline void marker_leave(struct thread *thread, struct owner *o)
{
	if (!thread->inside)
		return;
	thread->inside = 0;
	if (!o)
		return;
	__sync_fetch_and_add(&o->inside, -1);
	marker_set_clock(o, bpf_ktime_get_ns());
}

#endif
