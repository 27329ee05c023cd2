/* SPDX-License-Identifier: BSD-2-Clause */
/* What the user selected, resolved against the running system. */
#ifndef WHYSTALL_COLLECT_TARGET_H
#define WHYSTALL_COLLECT_TARGET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/fault.h"
#include "collect/glob.h"

struct target {
	bool all; /* the whole host */

	pid_t *pids;
	size_t pid_count;

	bool has_cgroup;
	uint64_t cgroup_id;
	uint32_t cgroup_hierarchy; /* 0: cgroup 2 */
	char *cgroup_path;         /* of its directory, absolute */

	bool has_glob;
	struct glob glob;
};

/*
 * Add the processes of a comma-separated list. Each must exist and be a process, not a thread.
 * Returns 0 or a negative errno with `fault` set.
 */
int target_add_pids(struct target *target, const char *list, struct fault *fault);

int target_add_pid(struct target *target, pid_t pid, struct fault *fault);

/*
 * Select a control group, sub-groups included: a directory of a mounted hierarchy, or a path as in
 * /proc/PID/cgroup, looked for below each mounted hierarchy, cgroup 2 first.
 */
int target_set_cgroup(struct target *target, const char *path, struct fault *fault);

int target_set_glob(struct target *target, const char *pattern, struct fault *fault);

/*
 * Add the processes that hold a GPU: NVIDIA, AMD (kfd) or accel device nodes open. Returns how many
 * were found or a negative errno with `fault` set.
 */
int target_add_gpu_holders(struct target *target, struct fault *fault);

/* Has anything been selected? */
bool target_is_set(const struct target *target);

void target_free(struct target *target);

#endif
