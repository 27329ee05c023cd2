// SPDX-License-Identifier: BSD-2-Clause
/* What control groups count. */
#include <errno.h>
#include <string.h>

#include "base/cursor.h"
#include "base/units.h"
#include "collect/proc_parse.h"

/* "8:16 " */
static bool take_device(struct cursor *c, uint32_t *device)
{
	struct cursor rest = *c;
	uint64_t major, minor;

	if (!cursor_take_number(&rest, 0xfff, &major) || !cursor_take(&rest, ":") ||
	    !cursor_take_number(&rest, 0xfffff, &minor))
		return false;
	cursor_skip_blanks(&rest);
	*c = rest;
	*device = device_number((uint32_t)major, (uint32_t)minor);
	return true;
}

/* Its row, a new one if need be; NULL if there is no room. */
static struct proc_cgroup_io *row_of(struct proc_cgroup_ios *ios, uint32_t device)
{
	for (size_t i = 0; i < ios->count; i++)
		if (ios->list[i].device == device)
			return &ios->list[i];
	if (ios->count == PROC_CGROUP_DEVICES) {
		ios->left_out++;
		return NULL;
	}
	ios->list[ios->count] = (struct proc_cgroup_io){ .device = device };
	return &ios->list[ios->count++];
}

/* "rbytes=1 wbytes=2 rios=3 wios=4 dbytes=5 ...": all four, or none counts. */
static bool take_counters(struct cursor *line, struct proc_cgroup_io *io)
{
	const struct {
		const char *name;
		uint64_t *value;
	} words[] = {
		{ "rbytes=", &io->read_bytes },
		{ "wbytes=", &io->write_bytes },
		{ "rios=", &io->read_ios },
		{ "wios=", &io->write_ios },
	};
	enum { WORDS = sizeof(words) / sizeof(words[0]) };
	unsigned int found = 0;
	struct cursor word;

	while (cursor_take_word(line, &word)) {
		word.end++; /* what ended the word: a number wants it */
		for (unsigned int i = 0; i < WORDS; i++)
			if (cursor_take(&word, words[i].name) &&
			    cursor_take_number(&word, UINT64_MAX, words[i].value))
				found |= 1U << i;
		cursor_skip_blanks(line);
	}
	return found == (1U << WORDS) - 1;
}

int proc_parse_io_stat(const char *text, size_t len, struct proc_cgroup_ios *out)
{
	struct cursor c = cursor_over(text, len), line;

	while (cursor_take_line(&c, &line)) {
		struct proc_cgroup_io io = { .device = 0 }, *row;
		bool found = false;

		/* Some kernels end no line for a device without counters: "7:1 7:0 8:0 rbytes=...". */
		while (take_device(&line, &io.device))
			found = true;
		if (!found || !take_counters(&line, &io))
			continue;
		row = row_of(out, io.device);
		if (row)
			*row = io;
	}
	return 0;
}

/* "8:0 Read 4096": others are Write, Sync, Async, Discard, Total. */
static void take_blkio_line(struct cursor *line, enum proc_blkio what, struct proc_cgroup_ios *out)
{
	struct proc_cgroup_io *row;
	uint32_t device;
	uint64_t value;
	bool read;

	if (!take_device(line, &device))
		return;
	read = cursor_take(line, "Read ");
	if ((!read && !cursor_take(line, "Write ")) ||
	    !cursor_take_number(line, UINT64_MAX, &value))
		return;
	row = row_of(out, device);
	if (!row)
		return;
	if (what == PROC_BLKIO_BYTES)
		*(read ? &row->read_bytes : &row->write_bytes) = value;
	else
		*(read ? &row->read_ios : &row->write_ios) = value;
}

int proc_parse_blkio(const char *text, size_t len, enum proc_blkio what,
		     struct proc_cgroup_ios *out)
{
	struct cursor c = cursor_over(text, len), line;

	while (cursor_take_line(&c, &line))
		take_blkio_line(&line, what, out);
	return 0;
}

int proc_parse_cpu_stat(const char *text, size_t len, struct proc_cgroup_cpu *out)
{
	enum { USAGE = 1, PERIODS = 2, THROTTLED = 4, TIME = 8 };
	struct cursor c = cursor_over(text, len), line;
	struct proc_cgroup_cpu cpu = { .usage_known = false };
	uint64_t throttled_ns = 0;
	const struct {
		const char *name;
		uint64_t *value;
		unsigned int bit;
	} rows[] = {
		{ "usage_usec ", &cpu.usage_us, USAGE },
		{ "nr_periods ", &cpu.periods, PERIODS },
		{ "nr_throttled ", &cpu.throttled, THROTTLED },
		{ "throttled_usec ", &cpu.throttled_us, TIME },
		{ "throttled_time ", &throttled_ns, TIME },
	};
	unsigned int found = 0;

	while (cursor_take_line(&c, &line))
		for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
			if (cursor_take(&line, rows[i].name) &&
			    cursor_take_number(&line, UINT64_MAX, rows[i].value))
				found |= rows[i].bit;
	cpu.usage_known = found & USAGE;
	cpu.throttle_known = (found & (PERIODS | THROTTLED | TIME)) == (PERIODS | THROTTLED | TIME);
	if (!cpu.usage_known && !cpu.throttle_known)
		return -EINVAL;
	if (throttled_ns)
		cpu.throttled_us = throttled_ns / NS_PER_US;
	if (!cpu.throttle_known)
		cpu.periods = cpu.throttled = cpu.throttled_us = 0;
	*out = cpu;
	return 0;
}
