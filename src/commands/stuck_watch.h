/* SPDX-License-Identifier: BSD-2-Clause */
/* Watches whether anything goes on in the job; if not, finds out what it hangs on, and says so at once. */
#ifndef WHYSTALL_COMMANDS_STUCK_WATCH_H
#define WHYSTALL_COMMANDS_STUCK_WATCH_H

#include "collect/apart.h"
#include "judge/judge.h"
#include "model/silence.h"

struct stuck_watch {
	uint64_t after_ns; /* --stuck-after */
	pid_t trainer;     /* --trainer, or 0 */
	struct silence silence;
	struct apart apart;
	struct waits *waits;
	struct stuck_finding finding; /* without any before something is found */
	uint64_t next_ns;             /* when to look again */
	bool told;
};

/* To be called with each interval, which `tick` was built from. Returns 0 or -ENOMEM. */
int stuck_watch_tick(struct stuck_watch *watch, const struct sample *from, const struct sample *to,
		     const struct loop *tick);

/* At the end of the run: those that are stuck now, looked at once more, get that as their verdict. Returns 0 or -ENOMEM. */
int stuck_watch_end(struct stuck_watch *watch, const struct sample *last,
		    struct verdicts *verdicts);

void stuck_watch_free(struct stuck_watch *watch);

#endif
