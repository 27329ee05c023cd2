// SPDX-License-Identifier: BSD-2-Clause
#include "collect/diskstats.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum { SECTOR_BYTES = 512 };

static bool is_partition(const char *name)
{
	char path[96];
	struct stat st;

	snprintf(path, sizeof(path), "/sys/class/block/%s/partition", name);
	return stat(path, &st) == 0;
}

static int parse_line(const char *line, struct sample *sample)
{
	unsigned long long reads, read_sectors, read_ms, writes, write_sectors, write_ms;
	unsigned long long in_flight, busy_ms;
	unsigned long long discards = 0, discard_sectors = 0, flushes = 0;
	unsigned int major, minor;
	char name[DISK_NAME_LEN];
	struct disk_sample *disk;
	int fields;

	fields = sscanf(
		line,
		"%u %u %31s %llu %*u %llu %llu %llu %*u %llu %llu %llu %llu %*u %llu %*u %llu %*u %llu",
		&major, &minor, name, &reads, &read_sectors, &read_ms, &writes, &write_sectors,
		&write_ms, &in_flight, &busy_ms, &discards, &discard_sectors, &flushes);
	if (fields < 11 || strchr(name, '/'))
		return 0;
	disk = sample_add_disk(sample);
	if (!disk)
		return -ENOMEM;
	*disk = (struct disk_sample){
		.device = device_number(major, minor),
		.partition = is_partition(name),
		.reads = reads,
		.read_bytes = read_sectors * SECTOR_BYTES,
		.writes = writes,
		.write_bytes = write_sectors * SECTOR_BYTES,
		.discards = discards,
		.discard_bytes = discard_sectors * SECTOR_BYTES,
		.flushes = flushes,
		.in_flight = in_flight,
		.busy_ms = busy_ms,
		.read_ms = read_ms,
		.write_ms = write_ms,
	};
	memcpy(disk->name, name, sizeof(disk->name));
	return 0;
}

int diskstats_read(const char *path, struct sample *sample, struct fault *fault)
{
	FILE *file = fopen(path, "re");
	char line[1024];
	int err = 0;

	if (!file)
		return fault_set(fault, -errno, "cannot read %s: %s", path, strerror(errno));
	while (!err && fgets(line, sizeof(line), file))
		err = parse_line(line, sample);
	if (!err && ferror(file))
		err = -EIO;
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
