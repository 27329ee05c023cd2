/* SPDX-License-Identifier: BSD-2-Clause */
/* Rows of I/O that is the kernel's: what they are called, and whether an owner is hidden behind. */
#ifndef WHYSTALL_MODEL_KERNEL_OWNER_H
#define WHYSTALL_MODEL_KERNEL_OWNER_H

#include <stdbool.h>

struct kernel_owner {
	const char *label; /* "[kernel]", "[swap]", "[loop]", "[md]", "[dm]" */
	/*
	 * Some process is behind it, at the device above, but no link leads there: the driver works on
	 * copies of the data.
	 */
	bool hides_owner;
};

/* By the name that an owner of kind OWNER_KERNEL has. */
struct kernel_owner kernel_owner_of(const char *name);

#endif
