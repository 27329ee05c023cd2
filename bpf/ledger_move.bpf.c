// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/* How the ledger of a thread goes from one state to the next, and ends. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include "abi.h"
#include "concurrency.bpf.h"
#include "ledger.bpf.h"

__noinline int ledger_close(struct task *task, struct thread *thread)
{
	u32 place, index;
	struct owner *o;

	if (!task || !thread)
		return 0;
	place = task->thread;
	index = place - 1;
	if (!place || place == THREAD_NONE ||
	    __sync_val_compare_and_swap(&task->thread, place, THREAD_NONE) != place)
		return 0;
	o = owner_of_thread(thread);
	marker_leave(thread, o);
	if (config_keep_threads && !thread->serves && threads_used < config_max_threads / 4 * 3) {
		thread->life = THREAD_ENDED;
		return 0;
	}
	__sync_fetch_and_add(&closings_begun, 1);
	for (int i = 0; o && i < LEDGER_STATES; i++) {
		if (thread->ns[i])
			__sync_fetch_and_add(&o->ended_ns[i], thread->ns[i]);
		if (thread->waiting_ns[i])
			__sync_fetch_and_add(&o->ended_waiting_ns[i], thread->waiting_ns[i]);
	}
	thread->life = THREAD_FREE;
	__sync_fetch_and_add(&closings_done, 1);
	bpf_map_push_elem(&free_threads, &index, BPF_ANY);
	return 0;
}

/* Add the time of a wait for storage to its place. */
static __always_inline void place_add(u32 place, u32 kind, u64 ns)
{
	u32 index = place - 1;
	struct file_row *file = bpf_map_lookup_elem(&files, &index);

	if (file && kind < WAIT_KINDS)
		__sync_fetch_and_add(&file->wait_ns[kind], ns);
}

/* Does the waiting clock of its process follow this thread? */
static __always_inline bool runs_clock(const struct thread *thread, const struct owner *o)
{
	return o->clock_tid ? thread->tid == o->clock_tid : thread->leader;
}

/* Its part of the time on its trainer's waiting clock; and that of its own process, if it runs it. */
static __always_inline void clocks_add(struct thread *thread, u32 left, u32 state, u64 now)
{
	struct owner *o = owner_of_thread(thread);
	struct owner *trainer = o ? owner_get(o->trainer) : NULL;
	u64 clock_ns, before, after;

	if (!trainer)
		return;
	clock_ns = clock_read(trainer->clock, now);
	if (thread->trainer == o->trainer && left < LEDGER_STATES && clock_ns > thread->clock_ns)
		__sync_fetch_and_add(&thread->waiting_ns[left], clock_ns - thread->clock_ns);
	thread->trainer = o->trainer;
	thread->clock_ns = clock_ns;
	if (o->marked || !runs_clock(thread, o))
		return;
	/* Another thread may enter its first marker meanwhile: then the clock is that one's. */
	before = *(volatile u64 *)&o->clock;
	after = clock_in_state(before, state, now);
	if (before != after && !*(volatile u32 *)&o->marked)
		__sync_val_compare_and_swap(&o->clock, before, after);
}

__noinline bool ledger_move(struct thread *thread, u64 word, u32 state, u64 now)
{
	u32 place, left = word_state(word);
	u64 since = word >> LEDGER_SHIFT;
	int kind;

	if (!thread)
		return false;
	place = thread->place;
	/* Clocks of two CPUs. */
	if (now < since)
		now = since;
	if (__sync_val_compare_and_swap(&thread->word, word, now << LEDGER_SHIFT | state) != word)
		return false;
	if (left < LEDGER_STATES)
		__sync_fetch_and_add(&thread->ns[left], now - since);
	if (left > LEDGER_RUNQUEUE)
		thread->slept = left;
	clocks_add(thread, left, state, now);
	if (thread->reads) {
		concurrency_end(thread->reads, thread->beside, now - since);
		thread->reads = 0;
	}
	kind = ledger_wait_kind(left);
	if (kind >= 0 && place)
		place_add(place, kind, now - since);
	return true;
}
