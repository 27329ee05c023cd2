/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What a thread waits for that goes to sleep, see waits.bpf.c. */
#ifndef WHYSTALL_WAITS_BPF_H
#define WHYSTALL_WAITS_BPF_H

#include "calls.bpf.h"

/* What the thread at this address, in `call`, waits for, which is about to sleep, or is asleep. */
int sleep_find(u64 thread, struct task *task, const struct call *call, struct sleep *sleep);

/* The row that a wait for storage is added to: index + 1, 0 if its place is not known. */
u32 sleep_place(const struct sleep *sleep, u32 owner);

/* The thread waits for the INET socket at this address (struct file). */
int socket_note(struct thread *thread, u64 socket);

#endif
