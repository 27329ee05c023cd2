/* SPDX-License-Identifier: BSD-2-Clause */
/* Which devices are a GPU driver's. Source: /proc/devices. */
#ifndef WHYSTALL_COLLECT_GPU_H
#define WHYSTALL_COLLECT_GPU_H

#include <linux/types.h>
#include <stdbool.h>

#include "abi.h"

/*
 * Mark the major number of a line of /proc/devices ("195 nvidia"), if that is a GPU driver's. Any other
 * line is passed over.
 */
void gpu_majors_add_line(__u8 majors[GPU_MAJORS], const char *line);

/* Mark all of the list at `path`. Returns 0 or a negative errno: then none is known. */
int gpu_majors_read(const char *path, __u8 majors[GPU_MAJORS]);

#endif
