// SPDX-License-Identifier: BSD-2-Clause
#include "fuzz.h"

#include "collect/glob.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *pattern = fuzz_string(data, size);
	struct fault fault;
	struct glob glob;
	int err = glob_compile(pattern, &glob, &fault);

	CHECK(err == 0 || err == -EINVAL);
	if (err) {
		CHECK(memchr(fault.text, '\0', sizeof(fault.text)));
	} else {
		/* The end is one state behind the last character; no star or character stands behind it. */
		CHECK(glob.end && (glob.end & (glob.end - 1)) == 0 && glob.end < 1ULL << COMM_LEN);
		CHECK((glob.stars & ~(glob.end | (glob.end - 1))) == 0);
		for (size_t c = 0; c < sizeof(glob.accepts) / sizeof(glob.accepts[0]); c++)
			CHECK((glob.accepts[c] & ~(glob.end - 1)) == 0);
		CHECK(glob.accepts[0] == 0);
	}
	free(pattern);
	return 0;
}
