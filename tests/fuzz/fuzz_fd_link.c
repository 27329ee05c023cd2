// SPDX-License-Identifier: BSD-2-Clause
#include "fuzz.h"

#include <inttypes.h>

#include "collect/proc_parse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *exact = fuzz_copy(data, size, ""), *longer = fuzz_copy(data, size, "7] (deleted)");
	struct proc_fd_link first = { .inode = 0 }, second = { .inode = 0 };
	int err = proc_parse_fd_link(exact, size, &first);

	CHECK(err == 0 || err == -EINVAL);
	CHECK(proc_parse_fd_link(longer, size, &second) == err);
	CHECK(first.kind == second.kind && first.inode == second.inode &&
	      first.deleted == second.deleted);
	/* A path is never taken for anything else, nor anything else for a path. */
	if (!err)
		CHECK((exact[0] == '/') ==
		      (first.kind == PROC_FD_PATH || first.kind == PROC_FD_GPU));
	CHECK(!first.inode || first.kind == PROC_FD_SOCKET || first.kind == PROC_FD_PIPE);
	CHECK(!first.deleted || exact[0] == '/');
	free(exact);
	free(longer);
	return 0;
}
