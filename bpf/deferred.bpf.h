/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Who is behind a bio that a kernel thread submits on somebody's behalf. */
#ifndef WHYSTALL_DEFERRED_BPF_H
#define WHYSTALL_DEFERRED_BPF_H

#include "kernel_owner.bpf.h"

/* Sets the owner of the bio at this address, which `current` submits, and what else it tells of the key. */
int owner_behind(u64 bio, struct io_key *key);

#endif
