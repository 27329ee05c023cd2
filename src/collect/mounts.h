/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where file systems are mounted, to make paths of names inside them. Source: /proc/PID/mountinfo, see
 * proc_pid_mountinfo(5).
 */
#ifndef WHYSTALL_COLLECT_MOUNTS_H
#define WHYSTALL_COLLECT_MOUNTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct mount {
	uint64_t namespace;   /* inode number of the mount namespace */
	uint32_t file_system; /* major << 20 | minor */
	char *root;           /* what of the file system is mounted */
	char *target;         /* where, inside the namespace */
	bool gone;            /* it was there earlier */
};

/* All zeros is an empty table. It only grows: what was unmounted meanwhile is still known. */
struct mounts {
	struct mount *list;
	size_t count, capacity;
	int own_fd; /* watched for changes of whystall's own namespace; 0: not opened yet */
};

/*
 * Add what is mounted in the process's namespace, `pid` 0 for whystall's own. Done once for each
 * namespace; for the own one again whenever it has changed. `namespace` is set. Returns 0 or a negative
 * errno (the process has ended).
 */
int mounts_learn(struct mounts *mounts, pid_t pid, uint64_t *namespace);

/*
 * Add a line of mountinfo: "ID PARENT MAJOR:MINOR ROOT TARGET OPTIONS ...". Any other line is passed over.
 * Returns 0 or -ENOMEM.
 */
int mounts_add_line(struct mounts *mounts, const char *line, uint64_t namespace);

/*
 * The path of `inside`, a path from the root of a file system, as whystall's own namespace `own` sees it,
 * else as `namespace` does, else any namespace that was learnt. Returns where it is mounted, which lives as
 * long as the table; NULL if it is mounted in none or the path does not fit.
 */
const char *mounts_path(const struct mounts *mounts, uint32_t file_system, const char *inside,
			uint64_t own, uint64_t namespace, char *out, size_t size);

void mounts_free(struct mounts *mounts);

#endif
