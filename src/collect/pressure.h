/* SPDX-License-Identifier: BSD-2-Clause */
/* /proc/pressure. Not on kernels before 4.20, or without CONFIG_PSI, or where a container's runtime hides it. */
#ifndef WHYSTALL_COLLECT_PRESSURE_H
#define WHYSTALL_COLLECT_PRESSURE_H

#include "collect/sample.h"

/* Fill in what there is; `root` is put in front of /proc. */
void pressure_read(struct sample *sample, const char *root);

#endif
