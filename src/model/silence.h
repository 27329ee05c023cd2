/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * For how long nothing has happened in a job: none of its threads ran, waited for a processor, or had a read, a write or an
 * answer come back. Threads that wake now and then only to go back to sleep (queues and watchdogs poll) do not count.
 */
#ifndef WHYSTALL_MODEL_SILENCE_H
#define WHYSTALL_MODEL_SILENCE_H

#include "model/loop.h"

/* By the index of BPF's table of threads, as in samples. */
struct silent_thread {
	uint64_t start_ns; /* of its ledger: tells threads in the same place apart; 0: none */
	uint64_t since_ns; /* its state, at the last sample */
	unsigned int woke; /* its sleep was another one than at the sample before */
	bool handed_over;  /* it ended another thread's wait */
};

struct silence {
	uint64_t begin_ns; /* CLOCK_MONOTONIC */
	uint64_t end_ns;   /* the last sample */
	uint64_t
		own_ns; /* of all threads since then: on a processor, or reads and the like that ended */
	uint64_t queued_ns;
	struct silent_thread *threads;
	size_t thread_count;
};

/*
 * Add the time between two samples of threads, of which `tick` was built. `silence` may be { 0 }. Returns 0 or -ENOMEM; free
 * it with silence_free().
 */
int silence_add(struct silence *silence, const struct sample *from, const struct sample *to,
		const struct loop *tick);

uint64_t silence_ns(const struct silence *silence);

/*
 * For how long a thread of the sample has been asleep, that before whystall met it included; for one that only wakes to go
 * back to sleep, no less than the silence.
 */
uint64_t silence_asleep_ns(const struct silence *silence, const struct sample *sample,
			   const struct thread *thread);

/*
 * It sleeps until some time has passed, and has done so again and again in this silence, and nothing else: its next waking
 * will change nothing either.
 */
bool silence_is_idle_timer(const struct silence *silence, size_t index);

void silence_free(struct silence *silence);

#endif
