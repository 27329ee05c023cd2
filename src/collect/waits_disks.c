// SPDX-License-Identifier: BSD-2-Clause
/* A long fsync of a disk that works on it is slow, and not stuck: does the disk end requests? */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "collect/diskstats.h"
#include "collect/waits.h"

static const useconds_t pause_us = 500000;

/* File systems that others serve: what the disks of this host do tells nothing of them. */
static bool is_remote(const char *type)
{
	static const char *const types[] = { "fuse", "nfs",  "cifs",   "smb",
					     "9p",   "ceph", "lustre", "afs" };

	if (strcmp(type, "fuseblk") == 0)
		return false;
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (strncmp(type, types[i], strlen(types[i])) == 0)
			return true;
	return false;
}

static uint64_t ended(const struct disk_sample *disk)
{
	return disk->reads + disk->writes + disk->discards + disk->flushes;
}

/* Number 0: any disk. */
static bool moves(const struct sample *before, const struct sample *after, uint32_t device)
{
	for (size_t i = 0; i < after->disk_count; i++) {
		const struct disk_sample *disk = &after->disks[i], *old;

		if (device && disk->device != device)
			continue;
		old = sample_find_disk(before, disk->device, i);
		if (old && ended(disk) != ended(old))
			return true;
	}
	return false;
}

static bool waits_for_disk(const struct wait_thread *t)
{
	return t->known && t->kind == WAIT_FILE && !is_remote(t->file_system);
}

void waits_read_disks(struct waits *waits)
{
	struct sample before = { 0 }, after = { 0 };
	struct fault fault;
	bool any = false;

	for (size_t i = 0; i < waits->thread_count; i++)
		any = any || waits_for_disk(&waits->threads[i]);
	if (!any || diskstats_read("/proc/diskstats", &before, &fault))
		return;
	usleep(pause_us);
	if (diskstats_read("/proc/diskstats", &after, &fault) == 0)
		for (size_t i = 0; i < waits->thread_count; i++) {
			struct wait_thread *t = &waits->threads[i];
			uint32_t device = device_number(t->mount_major, t->mount_minor);
			bool known = t->mount_major && sample_find_disk(&after, device, 0);

			if (waits_for_disk(t))
				t->storage_moves = moves(&before, &after, known ? device : 0);
		}
	sample_free(&before);
	sample_free(&after);
}
