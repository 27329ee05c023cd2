// SPDX-License-Identifier: BSD-2-Clause
#include "cgroup_io.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *exact = fuzz_copy(data, size, ""), *longer = fuzz_copy(data, size, "7\n");
	struct proc_cgroup_ios first = { .count = 0 }, second = { .count = 0 };

	CHECK(proc_parse_io_stat(exact, size, &first) == 0);
	CHECK(proc_parse_io_stat(longer, size, &second) == 0);
	check_ios(&first, &second);
	free(exact);
	free(longer);
	return 0;
}
