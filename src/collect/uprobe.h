/* SPDX-License-Identifier: BSD-2-Clause */
/* A perf event for a function of a file. Used by markers.c alone. */
#ifndef WHYSTALL_COLLECT_UPROBE_H
#define WHYSTALL_COLLECT_UPROBE_H

#include <stdbool.h>
#include <stdint.h>

/*
 * For the function at `offset` of the file that is open as `fd`, or for its return, in every process that has the file mapped,
 * now or later. The kernel is given this very file, whatever its name stands for by now. Reads the file: may take for ever, see
 * apart.h. Returns a descriptor or a negative errno.
 */
int uprobe_open(int fd, uint64_t offset, bool is_return);

#endif
