/* SPDX-License-Identifier: BSD-2-Clause */
/* Where the time of threads went, between two samples. */
#ifndef WHYSTALL_MODEL_LEDGER_H
#define WHYSTALL_MODEL_LEDGER_H

#include "base/scratch.h"
#include "collect/sample.h"

/* Nanoseconds by state. */
struct ledger {
	uint64_t ns[LEDGER_STATES];
};

/* The time of a class of the report, its parts included; `class` is below LEDGER_CLASSES. */
uint64_t ledger_class_ns(const struct ledger *ledger, unsigned int class);

/* All classes together: how long the threads lived. */
uint64_t ledger_wall_ns(const struct ledger *ledger);

/* The four classes of storage together. */
uint64_t ledger_storage_ns(const struct ledger *ledger);

void ledger_add(struct ledger *sum, const struct ledger *ledger);

/* Fill `order` with the classes, the largest first; equal ones as they are. */
void ledger_order(const struct ledger *ledger, unsigned int order[LEDGER_CLASSES]);

/* All of the time, or the part in which the waiting clock of the thread's trainer ran. */
enum ledger_time { LEDGER_ALL, LEDGER_WAITING };

/*
 * What the threads of each owner did between the samples: an array by owner of `to`, of threads that ended
 * too, of `scratch`. NULL when out of memory.
 */
struct ledger *ledger_by_owner(struct scratch *scratch, const struct sample *from,
			       const struct sample *to, enum ledger_time time);

/* What one thread of `to`, by its index, did since `from`. */
void ledger_of_thread(struct ledger *ledger, const struct sample *from, const struct sample *to,
		      size_t index, enum ledger_time time);

/* How long the waiting clock of an owner of `to` ran since `from`. */
uint64_t ledger_clock_ns(const struct sample *from, const struct sample *to, size_t owner);

/*
 * The owner of `to` that a thread of it counts for: OWNER_EXITED where its process's place was given to
 * another.
 */
uint32_t ledger_owner(const struct sample *to, const struct thread *thread);

#endif
