/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which processes outside the job a trainer waits for: a file system's daemon, an NBD server, a service on the same host.
 * Pure functions of the model.
 */
#ifndef WHYSTALL_JUDGE_SERVED_H
#define WHYSTALL_JUDGE_SERVED_H

#include "judge/judge.h"
#include "judge/roles.h"
#include "model/loop.h"
#include "model/report.h"

/* A process that is worth a ledger of its own. */
struct served_choice {
	pid_t pid;
	pid_t trainer; /* the trainer that waits for it */
};

/*
 * Processes that ended the waits, again and again, in which a trainer or one who works for it spent 5 % or more of the
 * trainer's waiting time, the longest first. `peers` is in the order of thread IDs. Returns how many.
 */
size_t served_choose(struct served_choice list[MAX_SERVERS], const struct loop *seen,
		     const struct roles *roles, const struct peer_report *peers, size_t peer_count);

/* A server of a verdict. */
struct served {
	const struct process_report *process;
	enum verdict_class class
		;   /* what most of the waits for it are to the job: storage, network or external */
	double pct; /* of the waits that the verdict blames, as in `struct where` */
	double class_pct; /* of those of this class */
	bool on_clock; /* the split is of the time in which the trainer waited; else of the window */
	bool split_known;
	double split_pct[LEDGER_CLASSES]; /* what its threads did */
};

/*
 * Fill `list` with those that carry 5 % or more of the blame, the largest first. Returns how many. Servers have a row of their
 * own in the report.
 */
size_t served_find(struct served list[MAX_SERVERS], const struct verdict *verdict,
		   const struct report *report);

/* The class of the ledger with the largest part of its split. */
unsigned int served_largest(const struct served *served);

#endif
