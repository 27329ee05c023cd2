/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The threads that have a ledger. */
#ifndef WHYSTALL_THREADS_BPF_H
#define WHYSTALL_THREADS_BPF_H

#include "owner.bpf.h"

/* The ledger of a task, NULL if it has none. */
static __always_inline struct thread *thread_of(const struct task *task)
{
	u32 index;

	if (!task || !task->thread || task->thread == THREAD_NONE)
		return NULL;
	index = task->thread - 1;
	return bpf_map_lookup_elem(&threads, &index);
}

/* Its process; NULL if that has given its place to another one. */
static __always_inline struct owner *owner_of_thread(const struct thread *thread)
{
	struct owner *o = owner_get(thread->owner);

	return o && o->start_boot_ns == thread->owner_start_boot_ns ? o : NULL;
}

#endif
