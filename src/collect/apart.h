/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Work that may never end, in a process of its own: whatever touches a file of an untrusted job waits for as long as that
 * file's system likes, and a signal does not always end it. Used by markers.c, dataset.c and waits.c.
 */
#ifndef WHYSTALL_COLLECT_APART_H
#define WHYSTALL_COLLECT_APART_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { APART_MAX_FDS = 16, APART_MAX_LEFT = 8 };

/* Children that have not been seen to end. */
struct apart {
	pid_t left[APART_MAX_LEFT];
};

struct apart_work {
	/* In the child, which has no descriptors but `keep_fd`. Fills the answer and the descriptors to hand over. */
	void (*run)(const void *context, void *answer, int *fds, size_t *fd_count);
	const void *context;
	int keep_fd; /* -1: none */
	uint64_t timeout_ns;
	size_t answer_size;
};

/*
 * Returns 0 with the answer and the descriptors, which are the caller's; -ETIMEDOUT; -EBUSY, when too many earlier ones have
 * not ended; -ECHILD, when it ended without an answer; or another negative errno.
 */
int apart_run(struct apart *apart, const struct apart_work *work, void *answer, int *fds,
	      size_t *fd_count);

/* Forget those that have ended; waits for none. Returns how many are left. */
size_t apart_reap(struct apart *apart);

#endif
