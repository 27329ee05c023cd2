// SPDX-License-Identifier: BSD-2-Clause
#include "collect/glob.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

enum { MAX_CHARACTERS = 63 };

/*
 * The set of bytes that the bracket expression at `p` (behind its '[') accepts. Returns what follows
 * the ']', NULL if there is none.
 */
static const unsigned char *parse_bracket(const unsigned char *p, bool accepts[256])
{
	bool negated = *p == '!' || *p == '^';
	const unsigned char *first;

	p += negated;
	memset(accepts, negated, 256);
	for (first = p; *p && (*p != ']' || p == first); p++) {
		unsigned char low = *p, high = *p;

		if (p[1] == '-' && p[2] && p[2] != ']') {
			high = p[2];
			p += 2;
		}
		for (unsigned int c = low; c <= high; c++)
			accepts[c] = !negated;
	}
	return *p ? p + 1 : NULL;
}

int glob_compile(const char *pattern, struct glob *glob, struct fault *fault)
{
	const unsigned char *p = (const unsigned char *)pattern;
	int count = 0;

	memset(glob, 0, sizeof(*glob));
	if (!*p)
		return fault_set_exit(fault, EXIT_USAGE, -EINVAL,
				      "an empty process name matches nothing");
	while (*p) {
		bool accepts[256] = { false };

		if (*p == '*') {
			glob->stars |= 1ULL << count;
			p++;
			continue;
		}
		if (count == MAX_CHARACTERS)
			return fault_set_exit(fault, EXIT_USAGE, -EINVAL,
					      "the pattern \"%s\" is too long", pattern);
		if (*p == '?') {
			memset(accepts, true, sizeof(accepts));
			p++;
		} else if (*p == '[') {
			p = parse_bracket(p + 1, accepts);
			if (!p)
				return fault_set_exit(fault, EXIT_USAGE, -EINVAL,
						      "the pattern \"%s\" has a [ without ]",
						      pattern);
		} else {
			if (*p == '\\' && p[1])
				p++;
			accepts[*p++] = true;
		}
		for (int c = 1; c < 256; c++)
			if (accepts[c])
				glob->accepts[c] |= 1ULL << count;
		count++;
	}
	if (count >= COMM_LEN)
		return fault_set_exit(
			fault, EXIT_USAGE, -EINVAL,
			"no process name has %d characters: the kernel keeps %d; use a *", count,
			COMM_LEN - 1);
	glob->end = 1ULL << count;
	return 0;
}
