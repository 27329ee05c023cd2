/* SPDX-License-Identifier: BSD-2-Clause */
/* Devices without requests of their own, such as dm, md, zram and the heads of NVMe multipath: is there any? */
#ifndef WHYSTALL_COLLECT_UPPER_H
#define WHYSTALL_COLLECT_UPPER_H

#include "collect/device.h"

enum { WATCHED_EMPTY = 16 };

/* What the last look found; { 0 } before the first one. */
struct upper_watch {
	uint64_t events; /* of all devices of the kernel by then; 0: not known */
	uint32_t empty
		[WATCHED_EMPTY]; /* those without a size: when a zram gets one no event tells it */
	size_t empty_count;      /* may be more than are kept */
	bool found;
};

/*
 * Is there such a device that has a size, among `choices` if there are any? All devices are listed only when the kernel
 * has told of a new or changed one since the last look.
 */
bool upper_look(struct upper_watch *watch, const struct device_choices *choices);

#endif
