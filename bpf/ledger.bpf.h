/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The ledger of a thread: one state at a time, without a remainder. */
#ifndef WHYSTALL_LEDGER_BPF_H
#define WHYSTALL_LEDGER_BPF_H

#include "waits.bpf.h"

static __always_inline u32 word_state(u64 word)
{
	return word & LEDGER_STATE_MASK;
}

/* The ledger of a task, NULL if it has none. */
static __always_inline struct thread *thread_of(const struct task *task)
{
	u32 index;

	if (!task || !task->thread || task->thread == THREAD_NONE)
		return NULL;
	index = task->thread - 1;
	return bpf_map_lookup_elem(&threads, &index);
}

/* Add the time of a wait for storage to its place. */
static __always_inline void place_add(u32 place, u32 kind, u64 ns)
{
	u32 index = place - 1;
	struct file_row *file = bpf_map_lookup_elem(&files, &index);

	if (file && kind < WAIT_KINDS)
		__sync_fetch_and_add(&file->wait_ns[kind], ns);
}

/*
 * Its part of the time on its trainer's waiting clock; and if it is the first thread of its process, that
 * one's own clock.
 */
static __always_inline void clocks_add(struct thread *thread, u32 left, u32 state, u64 now)
{
	struct owner *o = owner_get(thread->owner);
	struct owner *trainer = o ? owner_get(o->trainer) : NULL;
	u64 clock_ns;

	if (!trainer)
		return;
	clock_ns = clock_read(trainer->clock, now);
	if (thread->trainer == o->trainer && left < LEDGER_STATES && clock_ns > thread->clock_ns)
		__sync_fetch_and_add(&thread->waiting_ns[left], clock_ns - thread->clock_ns);
	thread->trainer = o->trainer;
	thread->clock_ns = clock_ns;
	if (thread->leader)
		o->clock = clock_in_state(o->clock, state, now);
}

/*
 * Leave the state of `word` for another one. The switch and a wakeup on another CPU may both try; the one
 * whose word is still current wins and adds up.
 */
static __always_inline void ledger_move(struct thread *thread, u64 word, u32 state, u64 now)
{
	u32 place = thread->place, left = word_state(word);
	u64 since = word >> LEDGER_SHIFT;
	int kind;

	/* Clocks of two CPUs. */
	if (now < since)
		now = since;
	if (__sync_val_compare_and_swap(&thread->word, word, now << LEDGER_SHIFT | state) != word)
		return;
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
}

#endif
