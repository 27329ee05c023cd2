/* SPDX-License-Identifier: BSD-2-Clause */
/* While a job runs: find out who works for whom, and have the waiting clocks follow. */
#ifndef WHYSTALL_COMMANDS_FOLLOW_H
#define WHYSTALL_COMMANDS_FOLLOW_H

#include "base/scratch.h"
#include "collect/source.h"
#include "collect/limits.h"
#include "judge/roles.h"
#include "model/loop.h"

/* Begins as { .trainer = ... }. */
struct follow {
	pid_t trainer;          /* named by the user; 0: none */
	struct loop seen;       /* so far; of what has ended for a while at least */
	struct scratch scratch; /* from one tick to the next */
	struct loop last;       /* the time between the last two samples; of `scratch` */
	struct roles roles;
	struct limits *limits; /* of trainers, as last seen */
	size_t limits_count;
	size_t limits_next; /* whose turn it is to be looked at again */
	struct limits_reader *limits_reader;
	unsigned int ticks;
};

/* Take in the time between two samples, and tell BPF who works for whom. Returns 0 or -ENOMEM. */
int follow_tick(struct follow *follow, struct source *source, const struct sample *from,
		const struct sample *to);

/* Has the last tick found out anew who works for whom? That is not done in each one. */
bool follow_has_looked(const struct follow *follow);

/* Processors that the job may use: those that whystall may. */
double cpus_allowed(void);

void follow_free(struct follow *follow);

#endif
