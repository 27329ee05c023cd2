/* SPDX-License-Identifier: BSD-2-Clause */
/* Lists of PIDs and TIDs: folders with numbers for names, and files of control groups. */
#ifndef WHYSTALL_COLLECT_PROC_IDS_H
#define WHYSTALL_COLLECT_PROC_IDS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* In ascending order, each once. */
struct proc_ids {
	pid_t *list;
	size_t count, capacity;
};

/* Replace the contents by the numbers in an open folder (/proc, /proc/PID/task). Returns 0 or a negative errno. */
int proc_ids_of_folder(struct proc_ids *ids, int folder_fd);

/*
 * Replace them by the processes of a control group and of those below it. Groups that vanish or cannot be read are passed
 * over. Returns 0 or -ENOMEM.
 */
int proc_ids_of_cgroup(struct proc_ids *ids, const char *path);

bool proc_ids_have(const struct proc_ids *ids, pid_t id);

void proc_ids_free(struct proc_ids *ids);

#endif
