// SPDX-License-Identifier: BSD-2-Clause
#include "base/text.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

/*
 * Length of the UTF-8 character at `s`, 0 if there is none: no overlong forms, no surrogates, nothing
 * above U+10FFFF (RFC 3629). `*code` gets its code point.
 */
static size_t utf8_length(const unsigned char *s, uint32_t *code)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t n;

	if (s[0] < 0x80) {
		*code = s[0];
		return 1;
	}
	if (s[0] >= 0xc2 && s[0] <= 0xdf) {
		n = 2;
		*code = s[0] & 0x1f;
	} else if ((s[0] & 0xf0) == 0xe0) {
		n = 3;
		*code = s[0] & 0x0f;
	} else if (s[0] >= 0xf0 && s[0] <= 0xf4) {
		n = 4;
		*code = s[0] & 0x07;
	} else {
		return 0;
	}
	for (size_t i = 1; i < n; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		*code = *code << 6 | (s[i] & 0x3f);
	}
	if (*code < least[n] || (*code >= 0xd800 && *code <= 0xdfff) || *code > 0x10ffff)
		return 0;
	return n;
}

/*
 * Characters that change how a terminal shows what stands around them: C0 and C1 controls, and
 * Unicode's marks for direction and for line and paragraph ends.
 */
static bool acts_on_terminal(uint32_t code)
{
	return code < 0x20 || (code >= 0x7f && code <= 0x9f) ||
	       (code >= 0x200e && code <= 0x200f) || (code >= 0x2028 && code <= 0x202e) ||
	       (code >= 0x2066 && code <= 0x2069);
}

char *text_escape(char *out, size_t size, const char *in, enum text_use use)
{
	const unsigned char *s = (const unsigned char *)in;
	size_t used = 0;

	while (*s) {
		uint32_t code;
		size_t n = utf8_length(s, &code);
		bool raw = n && (use == TEXT_JSON || !acts_on_terminal(code));
		size_t bytes = n ? n : 1;

		if (used + (raw ? bytes : 4 * bytes) + 1 > size)
			break;
		for (size_t i = 0; i < bytes; i++) {
			if (raw)
				out[used++] = (char)s[i];
			else
				used += (size_t)snprintf(out + used, size - used, "\\x%02x", s[i]);
		}
		s += bytes;
	}
	out[used] = '\0';
	return out;
}

void text_join_arguments(char *out, size_t size, const char *in, size_t len)
{
	if (len > size - 1)
		len = size - 1;
	for (size_t i = 0; i < len; i++)
		out[i] = in[i] ? in[i] : ' ';
	while (len && out[len - 1] == ' ')
		len--;
	out[len] = '\0';
}

bool text_is_below(const char *path, const char *folder)
{
	size_t len = strlen(folder);

	return strncmp(path, folder, len) == 0 &&
	       (path[len] == '/' || path[len] == '\0' || (len && folder[len - 1] == '/'));
}

bool text_copy(char *out, size_t size, const char *in)
{
	size_t len = strlen(in);
	bool fits = len < size;

	if (!fits)
		len = size - 1;
	memcpy(out, in, len);
	out[len] = '\0';
	return fits;
}
