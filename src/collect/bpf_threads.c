// SPDX-License-Identifier: BSD-2-Clause
#include "collect/bpf_threads.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <sched.h>

#include "base/units.h"
#include "whystall.skel.h"

/* A thread would have to change its state within each of so many copies. */
enum { MAX_COPIES = 1000 };

static bool is_whole(const struct thread *thread)
{
	uint64_t sum = 0;

	for (int i = 0; i < LEDGER_STATES; i++)
		sum += thread->ns[i];
	return sum == (thread->word >> LEDGER_SHIFT) - thread->start_ns;
}

/* BPF changes the word first and adds the time after: a copy from in between lacks it. */
static void copy_thread(struct thread *to, const struct thread *from)
{
	for (int i = 0; i < MAX_COPIES; i++) {
		*to = *(const volatile struct thread *)from;
		if (is_whole(to))
			return;
		/* Who is in between may be waiting for this processor. */
		sched_yield();
	}
}

int bpf_threads_copy(struct bpf_maps *maps, struct sample *sample)
{
	uint32_t end = bpf_maps_used(&maps->tables[TABLE_THREADS], &maps->skel->bss->threads_used);

	for (uint32_t i = 0; i < end; i++) {
		struct thread *thread = sample_add_thread(sample);

		if (!thread)
			return -ENOMEM;
		if (__atomic_load_n(&maps->threads[i].life, __ATOMIC_ACQUIRE) == THREAD_FREE)
			*thread = (struct thread){ .life = THREAD_FREE };
		else
			copy_thread(thread, &maps->threads[i]);
	}
	return 0;
}

uint64_t bpf_threads_open_ns(const struct sample *sample, const struct thread *thread)
{
	uint64_t since = thread->word >> LEDGER_SHIFT;

	return thread->life == THREAD_ALIVE && sample->threads_ns > since ?
		       sample->threads_ns - since :
		       0;
}

/* The same on its trainer's waiting clock. */
static uint64_t open_waiting_ns(const struct sample *sample, const struct thread *thread)
{
	uint64_t clock_ns;

	if (thread->owner >= sample->owner_count || thread->trainer >= sample->owner_count ||
	    thread->trainer != sample->owners[thread->owner].owner.trainer)
		return 0;
	clock_ns = clock_read(sample->owners[thread->trainer].owner.clock, sample->threads_ns);
	return clock_ns > thread->clock_ns ? clock_ns - thread->clock_ns : 0;
}

void bpf_threads_add_open(struct sample *sample)
{
	sample->threads_ns = time_now_ns(CLOCK_MONOTONIC);
	for (size_t i = 0; i < sample->thread_count; i++) {
		struct thread *thread = &sample->threads[i];
		uint32_t state = (uint32_t)thread->word & LEDGER_STATE_MASK;

		if (thread->life != THREAD_ALIVE || state >= LEDGER_STATES)
			continue;
		thread->ns[state] += bpf_threads_open_ns(sample, thread);
		thread->waiting_ns[state] += open_waiting_ns(sample, thread);
	}
}
