// SPDX-License-Identifier: BSD-2-Clause
#include "collect/diskstats.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "collect/proc_parse.h"

/* A line has up to 20 numbers. */
enum { BUFFER_LEN = 8192 };

/* Partitions stand behind their disk, and have its name with something behind it. */
static bool is_partition(const char *name, const char *disk)
{
	char path[96];
	struct stat st;

	if (!disk[0] || strncmp(name, disk, strlen(disk)) != 0)
		return false;
	snprintf(path, sizeof(path), "/sys/class/block/%s/partition", name);
	return stat(path, &st) == 0;
}

/* A file that is read piece by piece. */
struct reading {
	struct sample *sample;
	char disk[DISK_NAME_LEN]; /* the last one that is no partition */
	char text[BUFFER_LEN];
	size_t used;
};

/* A line that is none is passed over. */
static int add_line(struct reading *reading, const char *line, size_t len)
{
	struct disk_sample parsed, *disk;

	if (proc_parse_diskstats_line(line, len, &parsed))
		return 0;
	disk = sample_add_disk(reading->sample);
	if (!disk)
		return -ENOMEM;
	*disk = parsed;
	disk->partition = is_partition(disk->name, reading->disk);
	if (!disk->partition)
		memcpy(reading->disk, disk->name, sizeof(reading->disk));
	return 0;
}

/* Whole lines; what is left of them moves to the beginning, but for what is longer than any line. */
static int add_lines(struct reading *reading)
{
	char *line = reading->text, *end = line + reading->used, *newline;
	int err = 0;

	while (!err && (newline = memchr(line, '\n', (size_t)(end - line)))) {
		err = add_line(reading, line, (size_t)(newline + 1 - line));
		line = newline + 1;
	}
	reading->used = (size_t)(end - line);
	memmove(reading->text, line, reading->used);
	if (reading->used == BUFFER_LEN)
		reading->used = 0;
	return err;
}

int diskstats_read(const char *path, struct sample *sample, struct fault *fault)
{
	struct reading reading = { .sample = sample };
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	int err = fd < 0 ? -errno : 0;

	while (!err) {
		ssize_t n = read(fd, reading.text + reading.used, BUFFER_LEN - reading.used);

		if (n == 0)
			break;
		err = n < 0 ? -errno : 0;
		reading.used += n > 0 ? (size_t)n : 0;
		if (!err)
			err = add_lines(&reading);
	}
	if (fd >= 0)
		close(fd);
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
