// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * Input markers: functions by which a framework is asked for the next batch. User space attaches these two programs to each
 * one that the job maps (src/collect/markers.c), the one for its return first.
 *
 * They run for every process that maps the library; one that is not of the job costs a lookup. A function that is left
 * by an exception or longjmp() does not return: its thread counts as inside until it calls a marker again, and that one
 * returns, or until it ends.
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include "abi.h"
#include "markers.bpf.h"
#include "threads.bpf.h"

static __always_inline struct thread *current_thread(void)
{
	return thread_of(bpf_task_storage_get(&tasks, bpf_get_current_task_btf(), NULL, 0));
}

SEC("uprobe")
int marker_call(struct pt_regs *ctx)
{
	struct thread *thread = current_thread();
	struct owner *o = thread ? owner_of_thread(thread) : NULL;

	if (o)
		marker_enter(thread, o, (u32)ctx->sp);
	return 0;
}

/* Where the stack stands after the return: on x86 the return address is gone from it. */
static __always_inline bool is_return_of(u32 stack, u32 entry)
{
#if defined(__TARGET_ARCH_x86)
	return (s32)(stack - entry) > 0;
#else
	return (s32)(stack - entry) >= 0;
#endif
}

SEC("uretprobe")
int marker_return(struct pt_regs *ctx)
{
	struct thread *thread = current_thread();

	if (thread && thread->inside && is_return_of((u32)ctx->sp, thread->marker_stack))
		marker_leave(thread, owner_of_thread(thread));
	return 0;
}
