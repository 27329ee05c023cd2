// SPDX-License-Identifier: BSD-2-Clause
#include "model/silence.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/units.h"

/*
 * What may run in a silence: of its time, and at once. Four workers of a DataLoader that look whether their parent lives
 * take some milliseconds, on a busy host much of it in the run queue.
 */
enum { OWN_PART = 100, QUEUED_PART = 10, OWN_BURST_NS = 30 * NS_PER_MS, FEWEST_WAKINGS = 2 };

static uint64_t since_ns(const struct thread *thread)
{
	return thread->word >> LEDGER_SHIFT;
}

static uint32_t state_of(const struct thread *thread)
{
	return (uint32_t)thread->word & LEDGER_STATE_MASK;
}

static uint64_t minus(uint64_t a, uint64_t b)
{
	return a > b ? a - b : 0;
}

/* In this state, without the sleep that goes on. */
static uint64_t ended_ns(const struct sample *sample, const struct thread *thread, uint32_t state)
{
	uint64_t open = 0;

	if (thread->life == THREAD_ALIVE && state_of(thread) == state)
		open = minus(sample->threads_ns, since_ns(thread));
	return minus(thread->ns[state], open);
}

/* An answer has come: it was worth waiting for. */
static bool is_answered(uint32_t state)
{
	return ledger_wait_kind(state) >= 0 || state == LEDGER_NETWORK || state == LEDGER_GPU;
}

static bool is_same(const struct sample *from, size_t index, const struct thread *thread)
{
	return index < from->thread_count && from->threads[index].life != THREAD_FREE &&
	       from->threads[index].start_ns == thread->start_ns;
}

static void add_thread(struct silence *silence, const struct sample *from, const struct sample *to,
		       size_t index)
{
	const struct thread none = { 0 }, *thread = &to->threads[index];
	const struct thread *before = is_same(from, index, thread) ? &from->threads[index] : &none;

	silence->own_ns += minus(thread->ns[LEDGER_CPU], before->ns[LEDGER_CPU]);
	silence->queued_ns += minus(thread->ns[LEDGER_RUNQUEUE], before->ns[LEDGER_RUNQUEUE]);
	for (uint32_t state = 0; state < LEDGER_STATES; state++)
		if (is_answered(state))
			silence->own_ns +=
				minus(ended_ns(to, thread, state), ended_ns(from, before, state));
}

static bool is_broken(const struct silence *silence)
{
	uint64_t ns = silence_ns(silence);

	return silence->own_ns > OWN_BURST_NS + ns / OWN_PART ||
	       silence->queued_ns > OWN_BURST_NS + ns / QUEUED_PART;
}

static int make_room(struct silence *silence, size_t count)
{
	struct silent_thread *more;

	if (count <= silence->thread_count)
		return 0;
	more = reallocarray(silence->threads, count, sizeof(*more));
	if (!more)
		return -ENOMEM;
	memset(&more[silence->thread_count], 0, (count - silence->thread_count) * sizeof(*more));
	silence->threads = more;
	silence->thread_count = count;
	return 0;
}

static void begin_again(struct silence *silence, const struct sample *sample)
{
	silence->begin_ns = silence->end_ns = sample->threads_ns;
	silence->own_ns = silence->queued_ns = 0;
	for (size_t i = 0; i < silence->thread_count; i++)
		silence->threads[i] = (struct silent_thread){ 0 };
}

static void note_thread(struct silent_thread *known, const struct thread *thread)
{
	if (known->start_ns != thread->start_ns)
		*known = (struct silent_thread){ .start_ns = thread->start_ns };
	else if (known->since_ns != since_ns(thread))
		known->woke++;
	known->since_ns = since_ns(thread);
}

static bool has_ended_wait(const struct loop *tick, pid_t tid)
{
	for (size_t i = 0; i < tick->edge_count; i++)
		if (tick->edges[i].waker_tid == tid && tick->edges[i].wakee_tid != tid)
			return true;
	return false;
}

int silence_add(struct silence *silence, const struct sample *from, const struct sample *to,
		const struct loop *tick)
{
	if (make_room(silence, to->thread_count))
		return -ENOMEM;
	if (!silence->begin_ns)
		begin_again(silence, from);
	silence->end_ns = to->threads_ns;
	for (size_t i = 0; i < to->thread_count; i++)
		if (to->threads[i].life != THREAD_FREE)
			add_thread(silence, from, to, i);
	if (is_broken(silence)) {
		begin_again(silence, to);
		return 0;
	}
	for (size_t i = 0; i < to->thread_count; i++) {
		const struct thread *thread = &to->threads[i];

		if (thread->life != THREAD_ALIVE)
			continue;
		note_thread(&silence->threads[i], thread);
		if (has_ended_wait(tick, (pid_t)thread->tid))
			silence->threads[i].handed_over = true;
	}
	return 0;
}

uint64_t silence_ns(const struct silence *silence)
{
	return minus(silence->end_ns, silence->begin_ns);
}

uint64_t silence_asleep_ns(const struct silence *silence, const struct sample *sample,
			   const struct thread *thread)
{
	uint64_t asleep = minus(sample->threads_ns, since_ns(thread));

	if (thread->met_asleep_ns && thread->met_asleep_ns == since_ns(thread))
		asleep += thread->slept_before_ns;
	return asleep > silence_ns(silence) ? asleep : silence_ns(silence);
}

bool silence_is_idle_timer(const struct silence *silence, size_t index)
{
	return index < silence->thread_count && silence->threads[index].woke >= FEWEST_WAKINGS &&
	       !silence->threads[index].handed_over;
}

void silence_free(struct silence *silence)
{
	free(silence->threads);
	*silence = (struct silence){ 0 };
}
