// SPDX-License-Identifier: BSD-2-Clause
#include "model/ledger.h"

uint64_t ledger_class_ns(const struct ledger *ledger, unsigned int class)
{
	uint64_t ns = ledger->ns[class];

	if (class == LEDGER_STORAGE_WRITE)
		ns += ledger->ns[LEDGER_FSYNC] + ledger->ns[LEDGER_DIRTY_LIMIT];
	if (class == LEDGER_IPC)
		ns += ledger->ns[LEDGER_SEND];
	return ns;
}

uint64_t ledger_wall_ns(const struct ledger *ledger)
{
	uint64_t ns = 0;

	for (unsigned int class = 0; class < LEDGER_CLASSES; class ++)
		ns += ledger_class_ns(ledger, class);
	return ns;
}

uint64_t ledger_storage_ns(const struct ledger *ledger)
{
	uint64_t ns = 0;

	for (unsigned int class = LEDGER_STORAGE_READ; class <= LEDGER_STORAGE_FAULT; class ++)
		ns += ledger_class_ns(ledger, class);
	return ns;
}

void ledger_add(struct ledger *sum, const struct ledger *ledger)
{
	for (int i = 0; i < LEDGER_STATES; i++)
		sum->ns[i] += ledger->ns[i];
}

void ledger_order(const struct ledger *ledger, unsigned int order[LEDGER_CLASSES])
{
	for (unsigned int class = 0; class < LEDGER_CLASSES; class ++) {
		unsigned int at = class;

		for (;
		     at && ledger_class_ns(ledger, order[at - 1]) < ledger_class_ns(ledger, class);
		     at--)
			order[at] = order[at - 1];
		order[at] = class;
	}
}

uint32_t ledger_owner(const struct sample *to, const struct thread *thread)
{
	return thread->owner < OWNER_FIRST || (thread->owner < to->owner_count &&
					       to->owners[thread->owner].owner.start_boot_ns ==
						       thread->owner_start_boot_ns) ?
		       thread->owner :
		       OWNER_EXITED;
}

static void add_ns(struct ledger *ledger, const __u64 *ns, int sign)
{
	for (int i = 0; i < LEDGER_STATES; i++)
		ledger->ns[i] += sign > 0 ? ns[i] : -ns[i];
}

/*
 * A sample in the middle of a sleep has it to the end; the correction at the next switch may take a few
 * microseconds of it back.
 */
static void clamp(struct ledger *ledger)
{
	for (int i = 0; i < LEDGER_STATES; i++)
		if ((int64_t)ledger->ns[i] < 0)
			ledger->ns[i] = 0;
}

/* Add, or take away, all that a sample has; `to` tells which owners are still the same. */
static void add_sample(struct ledger *ledgers, const struct sample *sample, const struct sample *to,
		       enum ledger_time time, int sign)
{
	for (size_t i = 0; i < sample->owner_count; i++) {
		const struct owner *o = &sample->owners[i].owner;
		bool same =
			i < OWNER_FIRST || (i < to->owner_count &&
					    to->owners[i].owner.start_boot_ns == o->start_boot_ns);

		if (o->kind != OWNER_FREE)
			add_ns(&ledgers[same ? i : OWNER_EXITED],
			       time == LEDGER_ALL ? o->ended_ns : o->ended_waiting_ns, sign);
	}
	for (size_t i = 0; i < sample->thread_count; i++) {
		const struct thread *thread = &sample->threads[i];

		if (thread->life != THREAD_FREE)
			add_ns(&ledgers[ledger_owner(to, thread)],
			       time == LEDGER_ALL ? thread->ns : thread->waiting_ns, sign);
	}
}

struct ledger *ledger_by_owner(struct scratch *scratch, const struct sample *from,
			       const struct sample *to, enum ledger_time time)
{
	struct ledger *ledgers =
		scratch_take(scratch, to->owner_count + OWNER_FIRST, sizeof(*ledgers));

	if (!ledgers)
		return NULL;
	/* Unsigned: what is taken away first comes back. */
	add_sample(ledgers, from, to, time, -1);
	add_sample(ledgers, to, to, time, 1);
	for (size_t i = 0; i < to->owner_count; i++)
		clamp(&ledgers[i]);
	return ledgers;
}

void ledger_of_thread(struct ledger *ledger, const struct sample *from, const struct sample *to,
		      size_t index, enum ledger_time time)
{
	const struct thread *now = &to->threads[index];
	const struct thread *then = index < from->thread_count ? &from->threads[index] : NULL;

	*ledger = (struct ledger){ 0 };
	add_ns(ledger, time == LEDGER_ALL ? now->ns : now->waiting_ns, 1);
	if (then && then->life != THREAD_FREE && then->start_ns == now->start_ns)
		add_ns(ledger, time == LEDGER_ALL ? then->ns : then->waiting_ns, -1);
	clamp(ledger);
}

uint64_t ledger_clock_ns(const struct sample *from, const struct sample *to, size_t owner)
{
	const struct owner *o = &to->owners[owner].owner;
	uint64_t now = clock_read(o->clock, to->threads_ns), then = 0;

	if (owner < from->owner_count &&
	    from->owners[owner].owner.start_boot_ns == o->start_boot_ns)
		then = clock_read(from->owners[owner].owner.clock, from->threads_ns);
	/* A sample has one that runs up to its own time; it may have been stopped while the sample was taken. */
	return now > then ? now - then : 0;
}
