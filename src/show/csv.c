// SPDX-License-Identifier: BSD-2-Clause
#include "show/csv.h"

#include <string.h>

#include "base/text.h"

enum { LONGEST_FIELD = 4 * 512 };

void csv_field(FILE *out, const char *text)
{
	char safe[LONGEST_FIELD + 1];

	text_escape(safe, sizeof(safe), text, TEXT_PLAIN);
	if (!strpbrk(safe, ",\"")) {
		fputs(safe, out);
		return;
	}
	fputc('"', out);
	for (const char *p = safe; *p; p++) {
		if (*p == '"')
			fputc('"', out);
		fputc(*p, out);
	}
	fputc('"', out);
}
