/* SPDX-License-Identifier: BSD-2-Clause */
/* Giving up what is not needed once the programs are attached. */
#ifndef WHYSTALL_COMMANDS_PRIVILEGES_H
#define WHYSTALL_COMMANDS_PRIVILEGES_H

#include "base/fault.h"

/* What runs from now on. Each needs what those before it do. */
enum privileges_need { PRIVILEGES_FOR_PROC, PRIVILEGES_FOR_BPF, PRIVILEGES_FOR_MARKERS };

/*
 * Keep only those of the capabilities that whystall has: to read /proc of other users' processes (CAP_SYS_PTRACE,
 * CAP_DAC_READ_SEARCH) and to pass signals to PROGRAM (CAP_KILL), for BPF to read the maps (CAP_BPF, CAP_PERFMON),
 * for markers CAP_SYS_ADMIN; and no way to gain others by exec. Returns 0 or a negative errno with `fault` set.
 */
int privileges_drop(enum privileges_need need, struct fault *fault);

#endif
