// SPDX-License-Identifier: BSD-2-Clause
/* What is told of the host and not of a process: pressure, disks, UNIX sockets. */
#include <errno.h>
#include <string.h>

#include "base/cursor.h"
#include "collect/proc_parse.h"

enum { SECTOR_BYTES = 512 };

/* "12.34", with two digits behind the point. */
static bool take_percent(struct cursor *c, double *percent)
{
	uint64_t whole, hundredths;
	const char *point;

	if (!cursor_take_number(c, 100, &whole) || !cursor_take(c, "."))
		return false;
	point = c->at;
	if (!cursor_take_number(c, 99, &hundredths) || c->at - point != 2)
		return false;
	*percent = (double)whole + (double)hundredths / 100;
	return true;
}

/* " avg10=0.00 avg60=0.00 avg300=0.00 total=0": the first and the last are needed, whatever is between. */
static bool take_pressure(struct cursor *line, uint64_t *total_us, double *avg10)
{
	struct cursor word;
	bool total = false;

	if (!cursor_take(line, " avg10=") || !take_percent(line, avg10))
		return false;
	while (!total && cursor_take(line, " ")) {
		total = cursor_take(line, "total=");
		if (total ? !cursor_take_number(line, UINT64_MAX, total_us) :
			    !cursor_take_word(line, &word))
			return false;
	}
	return total;
}

int proc_parse_pressure(const char *text, size_t len, struct proc_pressure *out)
{
	struct cursor c = cursor_over(text, len), line;
	struct proc_pressure pressure = { .known = false };

	while (cursor_take_line(&c, &line)) {
		if (cursor_take(&line, "some"))
			pressure.known =
				take_pressure(&line, &pressure.some_us, &pressure.some_avg10);
		else if (cursor_take(&line, "full"))
			pressure.full_known =
				take_pressure(&line, &pressure.full_us, &pressure.full_avg10);
	}
	if (!pressure.known)
		return -EINVAL;
	if (!pressure.full_known) {
		pressure.full_us = 0;
		pressure.full_avg10 = 0;
	}
	*out = pressure;
	return 0;
}

/* "ADDRESS: REFERENCES PROTOCOL FLAGS TYPE STATE INODE[ PATH]" */
static bool take_unix_socket(struct cursor *line, uint64_t *inode)
{
	enum { BEFORE_INODE = 6 };
	struct cursor word;

	for (int i = 0; i < BEFORE_INODE; i++) {
		if (!cursor_take_word(line, &word) || (i == 0 && word.end[-1] != ':'))
			return false;
		cursor_skip_blanks(line);
	}
	return cursor_take_number(line, UINT64_MAX, inode) && *inode;
}

bool proc_next_unix_socket(const char *text, size_t len, size_t *at, uint64_t *inode)
{
	struct cursor c = cursor_over(text, len), line;

	c.at += *at < len ? *at : len;
	while (cursor_take_line(&c, &line)) {
		*at = (size_t)(c.at - text);
		if (take_unix_socket(&line, inode))
			return true;
	}
	*at = len;
	return false;
}

/* Columns of a line behind the name. */
enum disk_column {
	READS,
	READS_MERGED,
	READ_SECTORS,
	READ_MS,
	WRITES,
	WRITES_MERGED,
	WRITE_SECTORS,
	WRITE_MS,
	IN_FLIGHT,
	BUSY_MS,
	WEIGHTED_MS,
	DISK_COLUMNS_AT_FIRST,
	DISCARDS = DISK_COLUMNS_AT_FIRST,
	DISCARDS_MERGED,
	DISCARD_SECTORS,
	DISCARD_MS,
	FLUSHES,
	FLUSH_MS,
	DISK_COLUMNS
};

/* Any number of blanks in front of each, and of columns that are not known behind. */
static bool take_disk_columns(struct cursor *c, uint64_t values[DISK_COLUMNS])
{
	for (int i = 0; i < DISK_COLUMNS; i++) {
		cursor_skip_blanks(c);
		if (i >= DISK_COLUMNS_AT_FIRST && cursor_take(c, "\n"))
			return true;
		if (!cursor_take_number(c, UINT64_MAX, &values[i]))
			return false;
	}
	return c->end > c->at && c->end[-1] == '\n';
}

static bool take_disk_name(struct cursor *c, char name[DISK_NAME_LEN])
{
	struct cursor word;
	size_t len;

	if (!cursor_take_word(c, &word))
		return false;
	len = (size_t)(word.end - word.at);
	if (len >= DISK_NAME_LEN || memchr(word.at, '/', len) || memchr(word.at, '\0', len))
		return false;
	memset(name, 0, DISK_NAME_LEN);
	memcpy(name, word.at, len);
	return true;
}

static bool take_device(struct cursor *c, uint32_t *device)
{
	uint64_t major, minor;

	cursor_skip_blanks(c);
	if (!cursor_take_number(c, 0xfff, &major))
		return false;
	cursor_skip_blanks(c);
	if (!cursor_take_number(c, 0xfffff, &minor))
		return false;
	cursor_skip_blanks(c);
	*device = device_number((uint32_t)major, (uint32_t)minor);
	return true;
}

int proc_parse_diskstats_line(const char *line, size_t len, struct disk_sample *out)
{
	const uint64_t most_sectors = UINT64_MAX / SECTOR_BYTES;
	struct cursor c = cursor_over(line, len);
	uint64_t v[DISK_COLUMNS] = { 0 };
	struct disk_sample disk = { .device = 0 };

	if (!take_device(&c, &disk.device) || !take_disk_name(&c, disk.name) ||
	    !take_disk_columns(&c, v) || v[READ_SECTORS] > most_sectors ||
	    v[WRITE_SECTORS] > most_sectors || v[DISCARD_SECTORS] > most_sectors)
		return -EINVAL;
	disk.reads = v[READS];
	disk.read_bytes = v[READ_SECTORS] * SECTOR_BYTES;
	disk.writes = v[WRITES];
	disk.write_bytes = v[WRITE_SECTORS] * SECTOR_BYTES;
	disk.discards = v[DISCARDS];
	disk.discard_bytes = v[DISCARD_SECTORS] * SECTOR_BYTES;
	disk.flushes = v[FLUSHES];
	disk.in_flight = v[IN_FLIGHT];
	disk.busy_ms = v[BUSY_MS];
	disk.read_ms = v[READ_MS];
	disk.write_ms = v[WRITE_MS];
	*out = disk;
	return 0;
}
