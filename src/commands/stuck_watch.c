// SPDX-License-Identifier: BSD-2-Clause
#include "commands/stuck_watch.h"

#include <errno.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/text.h"
#include "base/units.h"
#include "show/stuck.h"

/*
 * A job that is silent and not stuck is looked at again after so long; then, since all that changes is how long it has been silent,
 * after a part of that. A look reads all that /proc has of each thread.
 */
static const uint64_t again_ns = 2ULL * NS_PER_S;
enum { AGAIN_PART = 2 };

static uint64_t pause_ns(const struct stuck_watch *watch)
{
	uint64_t more_ns = silence_ns(&watch->silence) - watch->after_ns;

	return more_ns / AGAIN_PART > again_ns ? more_ns / AGAIN_PART : again_ns;
}

static void add_thread(struct stuck_watch *watch, const struct sample *sample, size_t index)
{
	const struct thread *thread = &sample->threads[index];
	const struct owner *owner =
		thread->owner < sample->owner_count ? &sample->owners[thread->owner].owner : NULL;
	struct wait_thread *t;

	if (thread->life != THREAD_ALIVE || !thread->tid || !owner || owner->kind != OWNER_PROCESS)
		return;
	t = waits_add(watch->waits);
	if (!t)
		return;
	t->pid = (pid_t)owner->pid;
	t->tid = (pid_t)thread->tid;
	t->ppid = (pid_t)owner->ppid;
	t->class = (enum ledger_state)(thread->word & LEDGER_STATE_MASK);
	t->asleep_ns = silence_asleep_ns(&watch->silence, sample, thread);
	t->idle_timer = silence_is_idle_timer(&watch->silence, index);
	for (size_t i = 0; i < COMM_LEN; i++)
		t->comm[i] = thread->comm[i];
}

/* With --trainer nothing is said of any other process. */
static void keep_trainer(struct stucks *stucks, pid_t trainer)
{
	size_t kept = 0;

	for (size_t i = 0; i < stucks->count; i++)
		if (!trainer || stucks->list[i].pid == trainer)
			stucks->list[kept++] = stucks->list[i];
	stucks->count = kept;
}

/* One that ended not long before the silence began, or in it. */
static void add_gone(struct stuck_watch *watch, const struct sample *sample,
		     const struct owner *owner)
{
	const uint64_t margin_ns = 2ULL * NS_PER_S;
	struct waits *waits = watch->waits;
	uint64_t ago_ns;

	if (owner->kind != OWNER_PROCESS || !owner->end_boot_ns ||
	    waits->gone_count == WAITS_MOST_GONE)
		return;
	ago_ns = sample->boot_ns > owner->end_boot_ns ? sample->boot_ns - owner->end_boot_ns : 0;
	if (ago_ns > silence_ns(&watch->silence) + margin_ns)
		return;
	waits->gone[waits->gone_count] = (struct wait_gone){ .pid = (pid_t)owner->pid,
							     .ppid = (pid_t)owner->ppid,
							     .reaped = true,
							     .ago_ns = ago_ns };
	for (size_t i = 0; i < COMM_LEN; i++)
		waits->gone[waits->gone_count].comm[i] = owner->comm[i];
	waits->gone_count++;
}

/* Returns 0 or -ENOMEM. */
static int look(struct stuck_watch *watch, const struct sample *sample,
		const struct stuck_trainer *trainers, size_t count)
{
	int err;

	/* The reader of an earlier look may still write to the old ones. */
	waits_free(watch->waits);
	watch->finding = (struct stuck_finding){ .silent_ns = silence_ns(&watch->silence) };
	watch->finding.waits = watch->waits = waits_new();
	if (!watch->waits)
		return -ENOMEM;
	for (size_t i = 0; i < sample->thread_count; i++)
		add_thread(watch, sample, i);
	for (size_t i = 0; i < sample->owner_count; i++)
		add_gone(watch, sample, &sample->owners[i].owner);
	err = waits_read(watch->waits, &watch->apart);
	if (err && err != -ETIMEDOUT) {
		log_debug("what the job waits for cannot be read: error %d", -err);
		return 0;
	}
	err = stuck_find(&watch->finding.stucks, watch->waits, trainers, count, watch->after_ns);
	keep_trainer(&watch->finding.stucks, watch->trainer);
	return err;
}

static void tell(const struct stuck_watch *watch)
{
	for (size_t i = 0; i < watch->finding.stucks.count; i++) {
		const struct stuck *stuck = &watch->finding.stucks.list[i];
		struct evidence evidence = { 0 };

		stuck_describe(&evidence, &watch->finding, stuck);
		log_warning(stuck->end == END_NOBODY ? "process %d may be stuck" :
						       "process %d is stuck",
			    stuck->pid);
		for (size_t k = 0; k < evidence.count; k++)
			log_warning("  %s", evidence.lines[k]);
	}
}

int stuck_watch_tick(struct stuck_watch *watch, const struct sample *from, const struct sample *to,
		     const struct loop *tick)
{
	const struct stuck_trainer trainer = { .pid = watch->trainer };
	int err = silence_add(&watch->silence, from, to, tick);

	if (err)
		return err;
	if (silence_ns(&watch->silence) < watch->after_ns) {
		if (watch->told)
			log_warning("the job goes on");
		watch->told = false;
		watch->next_ns = 0;
		return 0;
	}
	if (watch->told || to->threads_ns < watch->next_ns)
		return 0;
	watch->next_ns = to->threads_ns + pause_ns(watch);
	err = look(watch, to, &trainer, watch->trainer != 0);
	if (!err && watch->finding.stucks.count) {
		tell(watch);
		watch->told = true;
	}
	return err;
}

int stuck_watch_end(struct stuck_watch *watch, const struct sample *last, struct verdicts *verdicts)
{
	struct stuck_trainer *trainers;
	size_t count = 0;
	int err;

	if (silence_ns(&watch->silence) < watch->after_ns)
		return 0;
	trainers = calloc(verdicts->count + 1, sizeof(*trainers));
	if (!trainers)
		return -ENOMEM;
	/* In a job that was never seen to work any process may look like a trainer, but for one that was named. */
	for (size_t i = 0; i < verdicts->count; i++)
		if (watch->trainer || verdicts->list[i].workers)
			trainers[count++] = (struct stuck_trainer){ .pid = verdicts->list[i].pid,
								    .tid = verdicts->list[i].tid };
	err = look(watch, last, trainers, count);
	free(trainers);
	return err ? err : judge_stuck(verdicts, &watch->finding);
}

void stuck_watch_free(struct stuck_watch *watch)
{
	silence_free(&watch->silence);
	waits_free(watch->waits);
	watch->waits = NULL;
}
