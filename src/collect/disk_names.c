// SPDX-License-Identifier: BSD-2-Clause
#include "collect/disk_names.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Returns 0; -ENOENT for a partition, and for a disk that is gone meanwhile. */
static int read_number(const char *name, uint32_t *device)
{
	char path[64 + NAME_MAX];
	unsigned int major, minor;
	int fields;
	FILE *file;

	snprintf(path, sizeof(path), "/sys/class/block/%s/partition", name);
	if (access(path, F_OK) == 0)
		return -ENOENT;
	snprintf(path, sizeof(path), "/sys/class/block/%s/dev", name);
	file = fopen(path, "re");
	if (!file)
		return -ENOENT;
	fields = fscanf(file, "%u:%u", &major, &minor);
	fclose(file);
	if (fields != 2)
		return -ENOENT;
	*device = device_number(major, minor);
	return 0;
}

static int add_name(struct sample *sample, const char *name)
{
	struct disk_sample *disk;
	uint32_t device = 0;

	if (name[0] == '.' || strlen(name) >= DISK_NAME_LEN || read_number(name, &device) ||
	    sample_find_disk(sample, device, 0))
		return 0;
	disk = sample_add_disk(sample);
	if (!disk)
		return -ENOMEM;
	*disk = (struct disk_sample){ .device = device, .hidden = true };
	memcpy(disk->name, name, strlen(name) + 1);
	return 0;
}

int disk_names_read(struct sample *sample)
{
	DIR *folder = opendir("/sys/class/block");
	struct dirent *entry;
	int err = 0;

	if (!folder)
		return 0;
	while (!err && (entry = readdir(folder)))
		err = add_name(sample, entry->d_name);
	closedir(folder);
	return err;
}
