// SPDX-License-Identifier: BSD-2-Clause
#include "fuzz.h"

#include "base/units.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint64_t most_ns = 10ULL * 365 * 24 * 3600 * NS_PER_S;
	char *text = fuzz_string(data, size), out[64];
	uint64_t ns = 0, count = 0;
	int err = duration_parse(text, &ns);

	CHECK(err == 0 || err == -EINVAL || err == -ERANGE);
	if (!err) {
		CHECK(ns >= 1 && ns <= most_ns);
		CHECK(strlen(duration_format(out, sizeof(out), (double)ns)) < 24);
	}
	err = count_parse(text, 1000, &count);
	CHECK(err == 0 || err == -EINVAL || err == -ERANGE);
	CHECK(err || (count >= 1 && count <= 1000));
	free(text);
	return 0;
}
