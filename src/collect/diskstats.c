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

static bool is_partition(const char *name)
{
	char path[96];
	struct stat st;

	snprintf(path, sizeof(path), "/sys/class/block/%s/partition", name);
	return stat(path, &st) == 0;
}

/* A file that is read piece by piece. */
struct reading {
	struct sample *sample;
	char text[BUFFER_LEN];
	size_t used;
};

/* A line that is none is passed over. What the last reading has left in its place is the same disk, unless some came or went. */
static int add_line(struct sample *sample, const char *line, size_t len)
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

/* Whole lines; what is left of them moves to the beginning, but for what is longer than any line. */
static int add_lines(struct reading *reading)
{
	char *line = reading->text, *end = line + reading->used, *newline;
	int err = 0;

	while (!err && (newline = memchr(line, '\n', (size_t)(end - line)))) {
		err = add_line(reading->sample, line, (size_t)(newline + 1 - line));
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
