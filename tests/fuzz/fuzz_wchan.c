// SPDX-License-Identifier: BSD-2-Clause
#include "fuzz.h"

#include <inttypes.h>

#include "collect/proc_parse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = fuzz_copy(data, size, ""), name[WCHAN_LEN], again[WCHAN_LEN];

	memset(name, 0x5a, sizeof(name));
	if (proc_parse_wchan(text, size, name) == 0) {
		CHECK(memchr(name, '\0', sizeof(name)));
		CHECK(strcmp(name, "0") != 0);
		for (const char *at = name; *at; at++)
			CHECK(strchr(
				"0123456789_.abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ",
				*at));
		CHECK(proc_parse_wchan(name, strlen(name), again) == 0);
		CHECK(strcmp(name, again) == 0);
	} else {
		for (size_t i = 0; i < sizeof(name); i++)
			CHECK(name[i] == 0x5a);
	}
	free(text);
	return 0;
}
