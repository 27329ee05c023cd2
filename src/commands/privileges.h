/* SPDX-License-Identifier: BSD-2-Clause */
/* Giving up what is not needed once the programs are attached. */
#ifndef WHYSTALL_COMMANDS_PRIVILEGES_H
#define WHYSTALL_COMMANDS_PRIVILEGES_H

#include <stdbool.h>

#include "base/fault.h"

/*
 * Keep only the capabilities to read the maps (CAP_BPF), to read /proc of other users' processes
 * (CAP_SYS_PTRACE, CAP_DAC_READ_SEARCH) and to pass signals to PROGRAM (CAP_KILL), and no way to gain
 * others by exec. `for_markers`: and CAP_SYS_ADMIN. Returns 0 or a negative errno with `fault` set.
 */
int privileges_drop(bool for_markers, struct fault *fault);

#endif
