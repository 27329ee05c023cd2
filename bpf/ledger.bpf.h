/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The ledger of a thread: one state at a time, without a remainder. */
#ifndef WHYSTALL_LEDGER_BPF_H
#define WHYSTALL_LEDGER_BPF_H

#include "markers.bpf.h"
#include "threads.bpf.h"
#include "waits.bpf.h"

static __always_inline u32 word_state(u64 word)
{
	return word & LEDGER_STATE_MASK;
}

/*
 * The thread has gone: its time is its process's. `closings_*` tell user space, which reads both, that this
 * is under way. For the judge it stays where it is, while there is room. Whoever takes the ledger from the task
 * does it.
 */
int ledger_close(struct task *task, struct thread *thread);

/*
 * Leave the state of `word` for another one. The switch and a wakeup on another CPU may both try; the one
 * whose word is still current wins, adds up, and returns true.
 */
bool ledger_move(struct thread *thread, u64 word, u32 state, u64 now);

#endif
