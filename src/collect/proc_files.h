/* SPDX-License-Identifier: BSD-2-Clause */
/* Reading the files of the job's processes. Used by the parts of proc_job alone. */
#ifndef WHYSTALL_COLLECT_PROC_FILES_H
#define WHYSTALL_COLLECT_PROC_FILES_H

#include "collect/proc_job.h"

/* Longer than any of the files whose parsers need the whole. */
enum { PROC_TEXT_LEN = 4096 };

/*
 * Read /proc/PID/NAME from its beginning, up to `size` bytes. `kept` holds its descriptor from one time to the next, or -1; NULL: it is not
 * worth one. Returns the length or a negative errno; -ESRCH and -ENOENT: the process is gone.
 */
ssize_t proc_files_read(struct proc_job *job, const struct proc_process *process, int *kept,
			const char *name, char *text, size_t size);

/* Open a folder, or a file, of the process. Returns a descriptor or a negative errno. */
int proc_files_open(const struct proc_job *job, const struct proc_process *process,
		    const char *name, int flags);

/* Keep a descriptor for later if there is room: returns it, or -1 and closes it. */
int proc_files_keep(struct proc_job *job, int fd);

/* Close a kept one; -1 is allowed. */
void proc_files_drop(struct proc_job *job, int *kept);

/* So many descriptors may be kept: the limit is raised as far as that goes. */
size_t proc_files_room(void);

bool proc_files_is_gone(int err);

#endif
