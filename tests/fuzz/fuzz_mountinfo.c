// SPDX-License-Identifier: BSD-2-Clause
#include "fuzz.h"

#include "collect/mounts.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = fuzz_string(data, size), *next = text, *line, path[64];
	struct mounts mounts = { .count = 0 };
	size_t count;

	while ((line = strsep(&next, "\n"))) {
		CHECK(mounts_add_line(&mounts, line, 1) == 0);
		/* What is known is not added again. */
		count = mounts.count;
		CHECK(mounts_add_line(&mounts, line, 1) == 0);
		CHECK(mounts.count == count);
	}
	for (size_t i = 0; i < mounts.count && i < 8; i++) {
		memset(path, 0x5a, sizeof(path));
		CHECK(mounts.list[i].root && mounts.list[i].target);
		if (mounts_path(&mounts, mounts.list[i].file_system, "/a/b", 1, 1, path,
				sizeof(path)))
			CHECK(memchr(path, '\0', sizeof(path)));
	}
	mounts_free(&mounts);
	free(text);
	return 0;
}
