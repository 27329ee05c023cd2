// SPDX-License-Identifier: BSD-2-Clause
#include "collect/diskstats.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "collect/proc_parse.h"

static bool is_partition(const char *name)
{
	char path[96];
	struct stat st;

	snprintf(path, sizeof(path), "/sys/class/block/%s/partition", name);
	return stat(path, &st) == 0;
}

/* A line that is none is passed over. What the last reading has left in its place is the same disk, unless some came or went. */
static int add_line(const char *line, size_t len, struct sample *sample)
{
	struct disk_sample parsed, *disk;
	bool known;

	if (proc_parse_diskstats_line(line, len, &parsed))
		return 0;
	disk = sample_add_disk(sample);
	if (!disk)
		return -ENOMEM;
	known = sample->disk_count <= sample->disks_before && !disk->hidden &&
		disk->device == parsed.device && strcmp(disk->name, parsed.name) == 0;
	parsed.partition = known ? disk->partition : is_partition(parsed.name);
	*disk = parsed;
	return 0;
}

int diskstats_read(const char *path, struct sample *sample, struct fault *fault)
{
	FILE *file = fopen(path, "re");
	char *line = NULL;
	size_t size = 0;
	ssize_t len;
	int err = 0;

	if (!file)
		return fault_set(fault, -errno, "cannot read %s: %s", path, strerror(errno));
	while (!err && (len = getline(&line, &size, file)) > 0)
		err = add_line(line, (size_t)len, sample);
	if (!err && ferror(file))
		err = -EIO;
	free(line);
	fclose(file);
	return err ? fault_set(fault, err, "cannot read %s: %s", path, strerror(-err)) : 0;
}

bool diskstats_can_be_read(const char *path)
{
	FILE *file = fopen(path, "re");
	bool any = file && fgetc(file) != EOF;

	if (file)
		fclose(file);
	return any;
}
