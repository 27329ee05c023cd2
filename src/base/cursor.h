/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reading text of a known length that nobody has promised to end with NUL. No function reads at or behind `end`; what does not
 * fit is refused and leaves the cursor where it was.
 */
#ifndef WHYSTALL_BASE_CURSOR_H
#define WHYSTALL_BASE_CURSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cursor {
	const char *at, *end;
};

static inline struct cursor cursor_over(const char *text, size_t len)
{
	return (struct cursor){ .at = text, .end = text + len };
}

static inline bool cursor_at_end(const struct cursor *c)
{
	return c->at == c->end;
}

/* Behind blanks and tabs; the end of a line is none. */
void cursor_skip_blanks(struct cursor *c);

/* Behind a string, which must be there. */
bool cursor_take(struct cursor *c, const char *expected);

/*
 * A whole number up to `max`: digits only, with no sign. It must end with a blank, a newline or whatever else is no part of a
 * word: where the text stops behind a digit the rest may be missing, and it is refused.
 */
bool cursor_take_number(struct cursor *c, uint64_t max, uint64_t *value);

/* The same in base 16, behind "0x". */
bool cursor_take_hex(struct cursor *c, uint64_t *value);

/* The characters up to the next blank, tab or newline, at least one; for the last of a text its end will do. */
bool cursor_take_word(struct cursor *c, struct cursor *word);

/* Is the rest of it exactly this? */
bool cursor_equals(const struct cursor *c, const char *text);

/*
 * The next line, with its newline. False at the end, and for a rest without a newline, which may be the beginning of a line
 * that was cut.
 */
bool cursor_take_line(struct cursor *c, struct cursor *line);

#endif
