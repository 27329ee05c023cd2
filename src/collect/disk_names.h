/* SPDX-License-Identifier: BSD-2-Clause */
/* The names of disks where container runtimes mask /proc/diskstats: it is there, and empty. */
#ifndef WHYSTALL_COLLECT_DISK_NAMES_H
#define WHYSTALL_COLLECT_DISK_NAMES_H

#include "collect/sample.h"

/*
 * Append every disk below /sys/class/block to the sample, without statistics (`hidden`). Where that cannot be read either
 * there are none. Returns 0 or -ENOMEM.
 */
int disk_names_read(struct sample *sample);

#endif
