// SPDX-License-Identifier: BSD-2-Clause
#include "fuzz.h"

#include "collect/mapped.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *line = fuzz_string(data, size);
	struct mapped mapped;

	memset(&mapped, 0x5a, sizeof(mapped));
	if (mapped_parse_line(line, &mapped)) {
		CHECK(memchr(mapped.name, '\0', sizeof(mapped.name)));
		CHECK(!strchr(mapped.name, '/'));
		CHECK(mapped.inode);
	}
	free(line);
	return 0;
}
