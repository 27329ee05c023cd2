/* SPDX-License-Identifier: BSD-2-Clause */
/* Block devices by the names that users give them. */
#ifndef WHYSTALL_COLLECT_DEVICE_H
#define WHYSTALL_COLLECT_DEVICE_H

#include "base/fault.h"
#include "collect/sample.h"

/* What -D selects: whole disks, or the sector range of one partition. */
struct device_choice {
	uint32_t disk; /* the whole disk, whose requests the kernel reports */
	struct device_range range;
};

struct device_choices {
	struct device_choice *list;
	size_t count;
	bool each; /* -D all: a row for each device, none left out */
};

/*
 * Add what `name` stands for: "all", a glob over device names, a name as in /proc/diskstats, a device
 * node or link to one (/dev/disk/by-*, /dev/mapper/NAME), or another path: the disk below its file
 * system. A partition whose whole disk is chosen too is left out: a request counts once. Returns 0 or a
 * negative errno with `fault` set.
 */
int device_choose(struct device_choices *choices, const char *name, struct fault *fault);

/* Was this disk or partition chosen itself? */
bool device_is_chosen(const struct device_choices *choices, uint32_t device);

void device_choices_free(struct device_choices *choices);

enum { MAX_PARENTS = 8 };

/*
 * Names of the devices stacked on this one: those that hold it or a partition of it (md, dm), loop
 * devices whose file lies on it, the multipath drive whose path it is. Returns how many of them were
 * written to `names`.
 */
size_t device_parents(uint32_t device, const char *name, char names[MAX_PARENTS][DISK_NAME_LEN]);

/*
 * Does this disk lie on others, which do its requests? True of md and dm, and of a loop device whose file is on a disk of this
 * host, as far as sysfs and the mounts of whystall's own namespace say. The file itself is not looked at: what serves it may
 * not answer.
 */
bool device_is_upper(uint32_t device, const char *name);

#endif
