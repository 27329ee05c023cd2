// SPDX-License-Identifier: BSD-2-Clause
#include "fuzz.h"

#include "collect/limits.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *list = fuzz_string(data, size), *twice;
	const size_t len = strlen(list);
	unsigned int count = limits_count_cpus(list);

	CHECK(count <= 1 << 20);
	CHECK(!count || (list[0] >= '0' && list[0] <= '9'));
	/* One more processor is one more. */
	if (count && count < 1 << 20 && !strpbrk(list, " \t\n\v\f\r")) {
		twice = malloc(len + 3);
		CHECK(twice);
		memcpy(twice, list, len);
		memcpy(twice + len, list[len - 1] == ',' ? "0" : ",0",
		       list[len - 1] == ',' ? 2 : 3);
		CHECK(limits_count_cpus(twice) == count + 1);
		free(twice);
	}
	free(list);
	return 0;
}
