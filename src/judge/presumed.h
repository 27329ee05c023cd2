/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Who waits for whom, where that was not seen but only what each thread did, by looks (loop.looks): presumed from who was born
 * under whom. It takes the form of edges, so that all rules are the same with and without BPF.
 */
#ifndef WHYSTALL_JUDGE_PRESUMED_H
#define WHYSTALL_JUDGE_PRESUMED_H

#include "model/loop.h"

struct presumed;

/*
 * Who works for whom, by `seen`: all that happened so far, which must outlive it. `trainer`: the process that is one in any
 * case; 0: none. Its memory is of `scratch`, and so are views. Returns 0 or -ENOMEM.
 */
int presumed_find(struct presumed **presumed, struct scratch *scratch, const struct loop *seen,
		  pid_t trainer);

/*
 * A view of `part`, of the same run, with the edges that are to be expected of it; of a run that BPF counted, the part as it
 * is. Threads and processes are those of `part`, which must outlive it. Returns 0 or -ENOMEM.
 */
int presumed_view(struct loop *view, const struct loop *part, const struct presumed *presumed);

/*
 * Is a thread of this trainer's process so constantly in reads of files that it is never full? Then the trainer waits for it,
 * whatever else the process makes.
 */
bool presumed_reads_always(const struct loop *loop, pid_t trainer, pid_t tid);

#endif
