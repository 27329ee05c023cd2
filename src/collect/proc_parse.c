// SPDX-License-Identifier: BSD-2-Clause
#include "collect/proc_parse.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

/* The rest of a text. */
struct rest {
	const char *at, *end;
};

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n';
}

/* The next number, with a sign that is dropped: a negative one is 0. */
static bool next_number(struct rest *rest, uint64_t *value)
{
	bool negative;

	while (rest->at < rest->end && is_blank(*rest->at))
		rest->at++;
	negative = rest->at < rest->end && *rest->at == '-';
	rest->at += negative;
	if (rest->at == rest->end || *rest->at < '0' || *rest->at > '9')
		return false;
	for (*value = 0; rest->at < rest->end && *rest->at >= '0' && *rest->at <= '9'; rest->at++) {
		unsigned int digit = (unsigned int)(*rest->at - '0');

		if (__builtin_mul_overflow(*value, 10, value) ||
		    __builtin_add_overflow(*value, digit, value))
			return false;
	}
	if (negative)
		*value = 0;
	return rest->at == rest->end || is_blank(*rest->at);
}

int proc_parse_stat(const char *text, size_t len, struct proc_stat *out)
{
	enum {
		PPID = 4,
		FLAGS = 9,
		MAJOR_FAULTS = 12,
		USER = 14,
		SYSTEM,
		THREADS = 20,
		START = 22,
		BLOCK = 42
	};
	const char *open = memchr(text, '(', len), *close = memrchr(text, ')', len);
	struct rest rest = { close ? close + 2 : NULL, text + len };
	size_t name;

	/* The name may hold blanks and brackets: it ends at the last one. */
	if (!open || !close || close < open || rest.end - close < 4)
		return -EINVAL;
	memset(out, 0, sizeof(*out));
	name = (size_t)(close - open - 1);
	memcpy(out->comm, open + 1, name < COMM_LEN - 1 ? name : COMM_LEN - 1);
	out->state = *rest.at++;
	for (int field = PPID; field <= BLOCK; field++) {
		uint64_t value;

		if (!next_number(&rest, &value))
			return field > START ? 0 : -EINVAL;
		if (field == PPID)
			out->ppid = (pid_t)value;
		else if (field == FLAGS)
			out->flags = value;
		else if (field == MAJOR_FAULTS)
			out->major_faults = value;
		else if (field == USER)
			out->user_ticks = value;
		else if (field == SYSTEM)
			out->system_ticks = value;
		else if (field == THREADS)
			out->threads = value;
		else if (field == START)
			out->start_ticks = value;
		else if (field == BLOCK)
			out->block_ticks = value;
	}
	return 0;
}

/* The number behind "NAME: " at the beginning of a line. */
static bool find_line(const char *text, size_t len, const char *name, uint64_t *value)
{
	size_t name_len = strlen(name);
	const char *end = text + len;

	for (const char *line = text; line && line < end;) {
		const char *newline = memchr(line, '\n', (size_t)(end - line));
		struct rest rest = { line + name_len, newline ? newline : end };

		if ((size_t)(rest.end - line) > name_len && memcmp(line, name, name_len) == 0)
			return next_number(&rest, value);
		line = newline ? newline + 1 : NULL;
	}
	return false;
}

int proc_parse_io(const char *text, size_t len, struct proc_io *out)
{
	bool whole = find_line(text, len, "rchar:", &out->read_chars) &&
		     find_line(text, len, "wchar:", &out->write_chars) &&
		     find_line(text, len, "syscr:", &out->reads) &&
		     find_line(text, len, "syscw:", &out->writes) &&
		     find_line(text, len, "read_bytes:", &out->read_bytes) &&
		     find_line(text, len, "write_bytes:", &out->write_bytes) &&
		     find_line(text, len, "cancelled_write_bytes:", &out->cancelled_write_bytes);

	return whole ? 0 : -EINVAL;
}

int proc_parse_schedstat(const char *text, size_t len, struct proc_schedstat *out)
{
	struct rest rest = { text, text + len };
	bool whole = next_number(&rest, &out->cpu_ns) && next_number(&rest, &out->runqueue_ns) &&
		     next_number(&rest, &out->slices);

	return whole ? 0 : -EINVAL;
}
