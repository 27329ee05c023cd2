// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * Where the time of the job's threads goes: what each one does, and since when, changes only here. Threads
 * outside the job have no storage, or none with a ledger: for them a lookup is all.
 *
 * The switch is passed with interrupts off: nothing runs on top of its program.
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include "abi.h"
#include "concurrency.bpf.h"
#include "edges.bpf.h"
#include "ledger.bpf.h"
#include "twice.bpf.h"

/* Nearly all threads of the host have no storage: a load instead of a call tells them. */
static __always_inline struct task *task_stored(struct task_struct *t, const void *storage)
{
	if (is_kernel_thread(t) || !storage)
		return NULL;
	return bpf_task_storage_get(&tasks, t, NULL, 0);
}

static __always_inline struct task *task_with_ledger(struct task_struct *t)
{
	return task_stored(t, t->bpf_storage);
}

/* A hypervisor that takes a processor away does so for longer; less is the jitter of two clocks. */
enum { SHORTEST_STEAL_NS = 50000 };

static __always_inline void add_signed(u64 *ns, s64 more)
{
	__sync_fetch_and_add(ns, more);
}

/*
 * At a switch the kernel has just brought its own counters up to date, which /proc/PID/schedstat shows: how
 * long the thread ran, and how long it waited for a processor. They are right and the tracepoints a little
 * beside: the time from a wakeup to an idle processor's start, say, is no waiting to the kernel. (A
 * ping-pong of two threads: 0.10 s of cpu by the tracepoints, 0.16 by the kernel.) What differs belongs to the
 * sleep before; without one it was the hypervisor's, or an interrupt's.
 */
static __noinline void ledger_correct(struct task_struct *t, struct thread *thread)
{
	u64 cpu_ns = t->se.sum_exec_runtime, delay_ns = run_delay(t);
	u32 slept = thread->slept;
	s64 cpu_more, delay_more, rest;

	thread->slept = 0;
	if (thread->cpu_base_ns == ~0ULL) {
		thread->cpu_base_ns = cpu_ns - thread->ns[LEDGER_CPU];
		thread->delay_base_ns = delay_ns - thread->ns[LEDGER_RUNQUEUE];
		return;
	}
	cpu_more = (s64)(cpu_ns - thread->cpu_base_ns - thread->ns[LEDGER_CPU]);
	delay_more = 0;
	if (bpf_core_field_exists(t->sched_info))
		delay_more = (s64)(delay_ns - thread->delay_base_ns - thread->ns[LEDGER_RUNQUEUE]);
	if (cpu_more < -SHORTEST_STEAL_NS)
		slept = 0;
	rest = -cpu_more - delay_more;
	if (!slept || slept >= LEDGER_STATES)
		slept = LEDGER_OTHER;
	if (rest < 0 && thread->ns[slept] < (u64)-rest) {
		/* Nothing to take it from: time is not counted twice. */
		cpu_more += rest;
		rest = 0;
	}
	add_signed(&thread->ns[LEDGER_CPU], cpu_more);
	add_signed(&thread->ns[LEDGER_RUNQUEUE], delay_more);
	add_signed(&thread->ns[slept], rest);
}

/* It waits for a read of a file system. */
static __always_inline void read_begin(struct thread *thread)
{
	u32 index = thread->place - 1;
	struct file_row *file = thread->place ? bpf_map_lookup_elem(&files, &index) : NULL;

	if (!file || !file->reads)
		return;
	thread->beside = concurrency_begin(file->reads);
	thread->reads = file->reads;
}

/* Its time on the CPU ends here. */
static __always_inline void leave_cpu(struct task_struct *t, struct thread *thread, u32 state,
				      u64 now)
{
	ledger_move(thread, thread->word, state, now);
	ledger_correct(t, thread);
}

/* The thread leaves its CPU. */
static __noinline void switch_out(struct task_struct *t, struct task *task, struct thread *thread,
				  bool preempted, u64 now)
{
	struct sleep sleep = {};
	struct call call;

	/* News: it was on one. */
	if (word_state(thread->word) != LEDGER_CPU)
		ledger_move(thread, thread->word, LEDGER_CPU, now);
	if (config_thread_names || t->__state == TASK_DEAD)
		bpf_core_read(thread->comm, sizeof(thread->comm), &t->comm);
	if (t->__state == TASK_DEAD) {
		leave_cpu(t, thread, LEDGER_CPU, now);
		ledger_close(task, thread);
		return;
	}
	if (preempted || !t->__state) {
		leave_cpu(t, thread, LEDGER_RUNQUEUE, now);
		return;
	}
	call_read(t, &call);
	sleep_find(bpf_get_current_task(), task, &call, &sleep);
	thread->place = sleep_place(&sleep, task->owner);
	if (sleep.socket)
		socket_note(thread, (u64)sleep.socket);
	leave_cpu(t, thread, sleep.state, now);
	/* It cannot be woken before it has left the CPU. */
	if (sleep.state == LEDGER_STORAGE_READ || sleep.state == LEDGER_STORAGE_FAULT)
		read_begin(thread);
}

SEC("tp_btf/sched_switch")
int BPF_PROG(ledger_switch, bool preempted, struct task_struct *prev, struct task_struct *next)
{
	const void *prev_storage = prev->bpf_storage, *next_storage = next->bpf_storage;
	struct task *task;
	struct thread *thread;
	u64 now = 0;

	/* Both are loaded before the ways part: each look at it takes the verifier of 6.18 a millisecond, see inflight_index_rare(). */
	barrier_var(prev_storage);
	barrier_var(next_storage);
	task = task_stored(prev, prev_storage);
	thread = thread_of(task);
	if (task && thread) {
		now = bpf_ktime_get_ns();
		switch_out(prev, task, thread, preempted, now);
	}
	task = task_stored(next, next_storage);
	thread = thread_of(task);
	if (thread)
		ledger_move(thread, thread->word, LEDGER_CPU, now ? now : bpf_ktime_get_ns());
	return 0;
}

SEC("tp_btf/sched_waking")
int BPF_PROG(ledger_waking, struct task_struct *t)
{
	struct thread *thread = thread_of(task_with_ledger(t));

	if (thread)
		edge_note(thread);
	return 0;
}

/*
 * The thread is on a run queue again. (Not at sched_waking, which may come before the switch, and before an
 * interrupt has reached the other CPU.)
 */
SEC("tp_btf/sched_wakeup")
int BPF_PROG(ledger_wakeup, struct task_struct *t)
{
	struct thread *thread = thread_of(task_with_ledger(t));
	u64 now, word;

	if (!thread)
		return 0;
	word = thread->word;
	if (word_state(word) <= LEDGER_RUNQUEUE)
		return 0;
	now = bpf_ktime_get_ns();
	word = word_of_asked(thread, word);
	if (ledger_move(thread, word, LEDGER_RUNQUEUE, now) && now > word >> LEDGER_SHIFT)
		edge_add(thread, word_state(word), now - (word >> LEDGER_SHIFT));
	thread->has_waker = WAKER_NONE;
	return 0;
}

/* The current thread has a page fault in a mapped file; if it has to wait, it is for this one. */
TRACE_TWICE_BY(bpf_get_current_task(), "mm_filemap_fault", page_faulted,
	       struct address_space *mapping)
{
	struct task_struct *t = bpf_get_current_task_btf();
	struct task *task = bpf_task_storage_get(&tasks, t, NULL, 0);

	if (task && task->thread)
		fault_note(task, t, BPF_CORE_READ(mapping, host));
	return 0;
}
