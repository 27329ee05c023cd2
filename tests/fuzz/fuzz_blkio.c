// SPDX-License-Identifier: BSD-2-Clause
#include "cgroup_io.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *exact = fuzz_copy(data, size, ""), *longer = fuzz_copy(data, size, "7\n");
	struct proc_cgroup_ios first = { .count = 0 }, second = { .count = 0 };

	CHECK(proc_parse_blkio(exact, size, PROC_BLKIO_BYTES, &first) == 0);
	CHECK(proc_parse_blkio(longer, size, PROC_BLKIO_BYTES, &second) == 0);
	check_ios(&first, &second);
	/* The other file names the same devices. */
	CHECK(proc_parse_blkio(exact, size, PROC_BLKIO_IOS, &first) == 0);
	CHECK(first.count == second.count);
	for (size_t i = 0; i < first.count; i++)
		CHECK(first.list[i].read_bytes == first.list[i].read_ios &&
		      first.list[i].write_bytes == first.list[i].write_ios);
	free(exact);
	free(longer);
	return 0;
}
