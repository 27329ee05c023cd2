/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Who works for whom: the thread that ends a wait of another one. */
#ifndef WHYSTALL_EDGES_BPF_H
#define WHYSTALL_EDGES_BPF_H

#include "ledger.bpf.h"

/*
 * What the kernel counts there: eight bits each of preemption and softirqs, then four each of hard interrupts and NMIs.
 * Since local_interrupt_disable() (v7.3 has it) eight bits for that stand between.
 */
enum {
	SOFTIRQ_SERVING =
		1 << 8, /* in one; the other bits of softirqs only tell that they are held off */
	INTERRUPT_SHIFT = 16,
	DISABLE_BITS = 8,
	INTERRUPT_MASK = 0xff,
};

static __always_inline u32 interrupt_mask(void)
{
	u32 shift = INTERRUPT_SHIFT + (config_counts_disabled ? DISABLE_BITS : 0);

	return SOFTIRQ_SERVING | (u32)INTERRUPT_MASK << shift;
}

#if defined(__TARGET_ARCH_x86)
/*
 * A variable of each processor. Its address is that of the processor's run queue and what user space finds in the
 * kernel's type information as the distance of the two.
 */
static __always_inline u32 preempt_count(struct task_struct *t)
{
	struct rq *rq = BPF_CORE_READ(t, se.cfs_rq, rq);
	u32 count = ~0U;

	if (config_has_preempt_count && (u32)BPF_CORE_READ(rq, cpu) == bpf_get_smp_processor_id())
		bpf_probe_read_kernel(&count, sizeof(count), (void *)rq + config_preempt_count_at);
	return count;
}
#else
static __always_inline u32 preempt_count(struct task_struct *t)
{
	return BPF_CORE_READ(t, thread_info.preempt_count);
}
#endif

/* Then `current` is whoever was interrupted. Where the kernel does not tell it is taken to be so. */
static __always_inline bool in_interrupt(struct task_struct *t)
{
	return !t->pid || preempt_count(t) & interrupt_mask();
}

/*
 * Does this thread ask a server for something, of which a thread wakes up? In an interrupt too: what is sent to a socket on
 * the same host arrives in one, on top of whoever sends.
 */
static __always_inline bool asks(struct task_struct *waker)
{
	struct task *task =
		is_kernel_thread(waker) ? NULL : bpf_task_storage_get(&tasks, waker, NULL, 0);

	return task && task->owner >= OWNER_FIRST;
}

/*
 * A thread of a server that a thread of the job has woken waited for something to do. (Not one that had to wait for storage or
 * a timer: the job's thread was only interrupted then.)
 */
static __always_inline u64 word_of_asked(struct thread *thread, u64 word)
{
	u32 state = word_state(word);
	u64 idle = (word & ~(u64)LEDGER_STATE_MASK) | LEDGER_IDLE;

	if (thread->has_waker != WAKER_ASKS || (state != LEDGER_IPC && state != LEDGER_NETWORK &&
						state != LEDGER_LOCK && state != LEDGER_OTHER))
		return word;
	return __sync_val_compare_and_swap(&thread->word, word, idle) == word ? idle : word;
}

/*
 * The current thread wakes that of `thread`. It is noted, and becomes an edge when that one leaves its wait: who is
 * current at sched_wakeup may be somebody else, on another processor.
 */
static __always_inline void edge_note(struct thread *thread)
{
	struct task_struct *waker = bpf_get_current_task_btf();
	struct thread *ledger;
	struct task *task;
	struct owner *o;
	bool outside;

	if (thread->serves) {
		thread->has_waker = asks(waker) ? WAKER_ASKS : WAKER_NONE;
		return;
	}
	if (in_interrupt(waker)) {
		thread->has_waker = WAKER_NONE;
		return;
	}
	outside = true;
	thread->waker_tid = 0;
	thread->waker_pid = 0;
	if (!is_kernel_thread(waker)) {
		task = bpf_task_storage_get(&tasks, waker, NULL, 0);
		o = task && task->owner >= OWNER_FIRST ? owner_get(task->owner) : NULL;
		outside = !o;
		thread->waker_pid = o ? o->pid : visible_pid(BPF_CORE_READ(waker, group_leader));
		ledger = thread_of(task);
		thread->waker_tid = ledger ? ledger->tid : visible_tid(waker);
	}
	thread->has_waker = outside ? WAKER_OUTSIDE : WAKER_OF_JOB;
}

/* The wait of `thread` in `state`, which took `ns`, has ended. */
static __noinline void edge_add(const struct thread *thread, u32 state, u64 ns)
{
	struct edge_key key = { .wakee_tid = thread->tid, .waker_tid = thread->waker_tid };
	struct edge fresh = { .waker_pid = thread->waker_pid,
			      .waker_outside = thread->has_waker == WAKER_OUTSIDE };
	int kind = ledger_edge_kind(state);
	struct edge *edge;
	struct owner *o;

	if (kind < 0 || kind >= EDGE_KINDS || !thread->has_waker || thread->serves)
		return;
	/* The kernel's own threads end waits for storage and sockets by the way: that is how these work. */
	if (!thread->waker_tid && kind >= EDGE_NETWORK)
		return;
	edge = bpf_map_lookup_elem(&edges, &key);
	if (!edge) {
		o = owner_of_thread(thread);
		fresh.wakee_pid = o ? o->pid : 0;
		bpf_map_update_elem(&edges, &key, &fresh, BPF_NOEXIST);
		edge = bpf_map_lookup_elem(&edges, &key);
	}
	if (!edge) {
		__sync_fetch_and_add(&loss.edges_dropped, 1);
		return;
	}
	__sync_fetch_and_add(&edge->ns[kind], ns);
	__sync_fetch_and_add(&edge->waits, 1);
	if (thread->inside)
		__sync_fetch_and_add(&edge->inside_ns, ns);
}

#endif
