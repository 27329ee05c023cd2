/* SPDX-License-Identifier: BSD-2-Clause */
/* Which process works for which trainer, and which thread of a trainer runs its loop: by who waits for whom. */
#ifndef WHYSTALL_JUDGE_ROLES_H
#define WHYSTALL_JUDGE_ROLES_H

#include "model/loop.h"

struct role {
	pid_t pid;
	uint64_t start_boot_ns;
	pid_t trainer_pid; /* itself, if it works for nobody */
	pid_t tid;         /* the thread that runs its loop, if it has one; else its first one */
	bool fed;          /* this thread is handed things by workers, or by others that read */
};

struct roles {
	struct role *list; /* in the order of PIDs */
	size_t count, capacity;
};

/*
 * A process works for its nearest ancestor that it exchanges things with again and again, and for whom that one works; one
 * without such an ancestor works for the trainer that it was born under, if that has workers, else for nobody. `trainer`: the
 * process for which all others work that exchange anything with it or descend from it; 0: none. `seen` is all that happened
 * so far. `roles` begins as { 0 }, and its memory is used again. Returns 0 or -ENOMEM; free it with roles_free().
 */
int roles_find(struct roles *roles, struct scratch *scratch, const struct loop *seen,
	       pid_t trainer);

const struct role *roles_of(const struct roles *roles, pid_t pid);

/* Write who works for whom into loop->processes. */
void roles_apply(const struct roles *roles, struct loop *loop);

void roles_free(struct roles *roles);

#endif
