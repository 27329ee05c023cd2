/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The ledger of a thread: one state at a time, without a remainder. */
#ifndef WHYSTALL_LEDGER_BPF_H
#define WHYSTALL_LEDGER_BPF_H

#include "markers.bpf.h"
#include "threads.bpf.h"
#include "waits.bpf.h"

static __always_inline u32 word_state(u64 word)
{
	return word & LEDGER_STATE_MASK;
}

/*
 * The thread has gone: its time is its process's. `closings_*` tell user space, which reads both, that this
 * is under way. For the judge it stays where it is, while there is room. Whoever takes the ledger from the task
 * does it.
 */
static __noinline void ledger_close(struct task *task, struct thread *thread)
{
	u32 place = task->thread, index = place - 1;
	struct owner *o;

	if (!place || place == THREAD_NONE ||
	    __sync_val_compare_and_swap(&task->thread, place, THREAD_NONE) != place)
		return;
	o = owner_of_thread(thread);
	marker_leave(thread, o);
	if (config_keep_threads && !thread->serves && threads_used < config_max_threads / 4 * 3) {
		thread->life = THREAD_ENDED;
		return;
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
}

/* Add the time of a wait for storage to its place. */
static __always_inline void place_add(u32 place, u32 kind, u64 ns)
{
	u32 index = place - 1;
	struct file_row *file = bpf_map_lookup_elem(&files, &index);

	if (file && kind < WAIT_KINDS)
		__sync_fetch_and_add(&file->wait_ns[kind], ns);
}

/* It waits for this INET socket. */
static __noinline void socket_note(struct thread *thread, struct file *file)
{
	struct socket *socket = BPF_CORE_READ(file, private_data);

	thread->socket = BPF_CORE_READ(file, f_inode, i_ino);
	thread->peer_port = local_peer_port(BPF_CORE_READ(socket, sk));
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

/*
 * Leave the state of `word` for another one. The switch and a wakeup on another CPU may both try; the one
 * whose word is still current wins, adds up, and returns true.
 */
static __always_inline bool ledger_move(struct thread *thread, u64 word, u32 state, u64 now)
{
	u32 place = thread->place, left = word_state(word);
	u64 since = word >> LEDGER_SHIFT;
	int kind;

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

#endif
