/* SPDX-License-Identifier: BSD-2-Clause */
/* Shell patterns for process names, in the form that BPF runs (struct glob, abi.h). */
#ifndef WHYSTALL_COLLECT_GLOB_H
#define WHYSTALL_COLLECT_GLOB_H

#include <linux/types.h>

#include "base/fault.h"

#include "abi.h"

/*
 * Compile `pattern`: *, ?, [abc], [a-z], [!a-z] and \ as in glob(7). Returns 0, or -EINVAL with
 * `fault` set: empty, longer than 63 characters, an open bracket, or more characters than a process
 * name can have (15).
 */
int glob_compile(const char *pattern, struct glob *glob, struct fault *fault);

#endif
