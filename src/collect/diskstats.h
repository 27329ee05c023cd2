/* SPDX-License-Identifier: BSD-2-Clause */
/* The kernel's disk statistics. Source: Documentation/admin-guide/iostats.rst. */
#ifndef WHYSTALL_COLLECT_DISKSTATS_H
#define WHYSTALL_COLLECT_DISKSTATS_H

#include "base/fault.h"
#include "collect/sample.h"

/*
 * Append every disk and partition of `path` ("/proc/diskstats", another file in tests) to the sample.
 * Kernels from 4.18 on have discards, from 5.5 on flushes; what a line lacks is 0. Lines that are not
 * as they should be, and a last one without its end, are passed over. Returns 0 or a negative errno with `fault` set.
 */
int diskstats_read(const char *path, struct sample *sample, struct fault *fault);

/* Whether there is anything to read: container runtimes mask the file by an empty one. */
bool diskstats_can_be_read(const char *path);

#endif
