// SPDX-License-Identifier: BSD-2-Clause
#include "fuzz.h"

#include <inttypes.h>

#include "collect/proc_parse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *exact = fuzz_copy(data, size, ""), *longer = fuzz_copy(data, size, "7\n");
	size_t at = 0, other_at = 0, before = 0, lines = 0, found = 0;
	uint64_t inode = 0, other = 0;

	for (size_t i = 0; i < size; i++)
		lines += exact[i] == '\n';
	while (proc_next_unix_socket(exact, size, &at, &inode)) {
		CHECK(proc_next_unix_socket(longer, size, &other_at, &other));
		CHECK(inode && inode == other && at == other_at);
		CHECK(at > before && at <= size && exact[at - 1] == '\n');
		before = at;
		found++;
	}
	CHECK(!proc_next_unix_socket(longer, size, &other_at, &other));
	CHECK(at == size && found <= lines);
	free(exact);
	free(longer);
	return 0;
}
