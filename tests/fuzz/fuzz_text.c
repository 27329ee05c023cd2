// SPDX-License-Identifier: BSD-2-Clause
#include "fuzz.h"

#include "base/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *in = fuzz_string(data, size);
	const size_t len = strlen(in), room = 4 * len + 1;
	char *out = malloc(room), few[16];

	CHECK(out);
	CHECK(text_escape(out, room, in, TEXT_PLAIN) == out);
	CHECK(strlen(out) >= len);
	for (const char *at = out; *at; at++)
		CHECK((unsigned char)*at >= ' ' && *at != 0x7f);
	/* The beginning of the same, in less room. */
	text_escape(few, sizeof(few), in, TEXT_PLAIN);
	CHECK(strlen(few) < sizeof(few) && strncmp(few, out, strlen(few)) == 0);
	text_escape(out, room, in, TEXT_JSON);
	free(out);
	free(in);
	return 0;
}
