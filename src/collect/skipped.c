// SPDX-License-Identifier: BSD-2-Clause
#include "collect/skipped.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

uint64_t skipped_runs(const struct bpf_program *program)
{
	struct bpf_prog_info info = { 0 };
	__u32 size = sizeof(info);

	if (!bpf_program__autoload(program) ||
	    bpf_obj_get_info_by_fd(bpf_program__fd(program), &info, &size) != 0)
		return 0;
	return info.recursion_misses;
}
