// SPDX-License-Identifier: BSD-2-Clause
#include "base/cursor.h"

#include <string.h>

void cursor_skip_blanks(struct cursor *c)
{
	while (c->at < c->end && (*c->at == ' ' || *c->at == '\t'))
		c->at++;
}

bool cursor_take(struct cursor *c, const char *expected)
{
	const size_t len = strlen(expected);

	if ((size_t)(c->end - c->at) < len || memcmp(c->at, expected, len) != 0)
		return false;
	c->at += len;
	return true;
}

/* The digit's value in base 16, 16 where it is none. */
static unsigned int digit(char c)
{
	if (c >= '0' && c <= '9')
		return (unsigned int)(c - '0');
	if (c >= 'a' && c <= 'f')
		return (unsigned int)(c - 'a') + 10;
	if (c >= 'A' && c <= 'F')
		return (unsigned int)(c - 'A') + 10;
	return 16;
}

static bool is_word(char c)
{
	return digit(c) < 16 || (c >= 'g' && c <= 'z') || (c >= 'G' && c <= 'Z') || c == '_';
}

static bool take_digits(struct cursor *c, unsigned int base, uint64_t max, uint64_t *value)
{
	const char *at = c->at;
	uint64_t sum = 0;

	for (; at < c->end && digit(*at) < base; at++) {
		unsigned int d = digit(*at);

		if (d > max || sum > (max - d) / base)
			return false;
		sum = sum * base + d;
	}
	if (at == c->at || at == c->end || is_word(*at))
		return false;
	c->at = at;
	*value = sum;
	return true;
}

bool cursor_take_number(struct cursor *c, uint64_t max, uint64_t *value)
{
	return take_digits(c, 10, max, value);
}

bool cursor_take_hex(struct cursor *c, uint64_t *value)
{
	struct cursor rest = *c;

	if (!cursor_take(&rest, "0x") || !take_digits(&rest, 16, UINT64_MAX, value))
		return false;
	*c = rest;
	return true;
}

bool cursor_take_word(struct cursor *c, struct cursor *word)
{
	const char *at = c->at;

	while (at < c->end && *at != ' ' && *at != '\t' && *at != '\n')
		at++;
	if (at == c->at)
		return false;
	*word = (struct cursor){ .at = c->at, .end = at };
	c->at = at;
	return true;
}

bool cursor_equals(const struct cursor *c, const char *text)
{
	const size_t len = strlen(text);

	return (size_t)(c->end - c->at) == len && memcmp(c->at, text, len) == 0;
}

bool cursor_take_line(struct cursor *c, struct cursor *line)
{
	const char *newline = c->at < c->end ? memchr(c->at, '\n', (size_t)(c->end - c->at)) : NULL;

	if (!newline)
		return false;
	*line = (struct cursor){ .at = c->at, .end = newline + 1 };
	c->at = newline + 1;
	return true;
}
