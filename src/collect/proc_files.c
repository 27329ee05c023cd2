// SPDX-License-Identifier: BSD-2-Clause
#include "collect/proc_files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

/* For everything else that is open at a time. */
enum { SPARE_FILES = 128 };

size_t proc_files_room(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return 0;
	if (limit.rlim_cur < limit.rlim_max) {
		const struct rlimit raised = { limit.rlim_max, limit.rlim_max };

		if (setrlimit(RLIMIT_NOFILE, &raised) == 0)
			limit = raised;
	}
	return limit.rlim_cur > SPARE_FILES ? (size_t)limit.rlim_cur - SPARE_FILES : 0;
}

int proc_files_open(const struct proc_job *job, const struct proc_process *process,
		    const char *name, int flags)
{
	char path[96];
	int fd;

	if (process->folder_fd >= 0) {
		fd = openat(process->folder_fd, name, flags | O_CLOEXEC);
	} else {
		snprintf(path, sizeof(path), "%u/%s", process->owner.pid, name);
		fd = openat(job->proc_fd, path, flags | O_CLOEXEC);
	}
	return fd < 0 ? -errno : fd;
}

int proc_files_keep(struct proc_job *job, int fd)
{
	if (job->kept < job->keep_max) {
		job->kept++;
		return fd;
	}
	close(fd);
	return -1;
}

void proc_files_drop(struct proc_job *job, int *kept)
{
	if (*kept < 0)
		return;
	close(*kept);
	*kept = -1;
	job->kept--;
}

ssize_t proc_files_read(struct proc_job *job, const struct proc_process *process, int *kept,
			const char *name, char *text, size_t size)
{
	bool opened = !kept || *kept < 0;
	int fd = opened ? proc_files_open(job, process, name, O_RDONLY) : *kept;
	ssize_t n;

	if (fd < 0)
		return fd;
	n = pread(fd, text, size, 0);
	if (n < 0)
		n = -errno;
	if (opened && kept && n >= 0)
		*kept = proc_files_keep(job, fd);
	else if (opened)
		close(fd);
	return n;
}

bool proc_files_is_gone(int err)
{
	return err == -ESRCH || err == -ENOENT;
}
