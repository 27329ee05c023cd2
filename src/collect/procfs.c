// SPDX-License-Identifier: BSD-2-Clause
#include "collect/procfs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"

ssize_t procfs_read(pid_t pid, const char *name, char *out, size_t size)
{
	char path[128];
	size_t used = 0;
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	while (used < size - 1 && (n = read(fd, out + used, size - 1 - used)) != 0) {
		if (n < 0) {
			n = -errno;
			close(fd);
			return n;
		}
		used += (size_t)n;
	}
	close(fd);
	out[used] = '\0';
	return (ssize_t)used;
}

int procfs_read_tgid(pid_t pid, pid_t *tgid)
{
	char text[4096];
	ssize_t n = procfs_read(pid, "status", text, sizeof(text));
	char *line;

	if (n < 0)
		return (int)n;
	/* The name comes first and cannot hold a newline: the kernel escapes it. */
	line = strstr(text, "\nTgid:");
	if (!line)
		return -EINVAL;
	*tgid = (pid_t)strtol(line + strlen("\nTgid:"), NULL, 10);
	return 0;
}

/* A number of /proc/PID/stat: "PID (NAME) STATE ...", counted from 1 as in proc(5); `field` > 3. */
static int read_stat(pid_t pid, int field, uint64_t *value)
{
	char text[1024];
	ssize_t n = procfs_read(pid, "stat", text, sizeof(text));
	char *p;

	if (n < 0)
		return (int)n;
	/* The name may hold blanks and brackets. */
	p = strrchr(text, ')');
	for (int at = 2; p && at < field; at++)
		p = strchr(p + 1, ' ');
	if (!p)
		return -EINVAL;
	*value = strtoull(p, NULL, 10);
	return 0;
}

int procfs_read_start_ticks(pid_t pid, uint64_t *ticks)
{
	return read_stat(pid, 22, ticks);
}

int procfs_is_kernel_thread(pid_t pid)
{
	const uint64_t pf_kthread = 0x00200000; /* include/linux/sched.h */
	uint64_t flags;
	int err = read_stat(pid, 9, &flags);

	return err ? err : (flags & pf_kthread) != 0;
}

int procfs_read_cmdline(pid_t pid, char *out, size_t size, size_t *len)
{
	ssize_t n = procfs_read(pid, "cmdline", out, size);

	if (n < 0)
		return (int)n;
	*len = (size_t)n;
	return 0;
}

int procfs_parse_cgroup(char *text, char *out, size_t size)
{
	char *next = text, *line;
	bool found = false;

	out[0] = '\0';
	while ((line = strsep(&next, "\n"))) {
		char *controllers = strchr(line, ':');
		char *path = controllers ? strchr(controllers + 1, ':') : NULL;

		if (!path)
			continue;
		*path++ = '\0';
		controllers++;
		if (controllers[0] == '\0' && strcmp(path, "/") != 0) {
			text_copy(out, size, path);
			return 0;
		}
		if (controllers[0] == '\0' || strstr(controllers, "blkio")) {
			if (!found || strcmp(path, "/") != 0)
				text_copy(out, size, path);
			found = true;
		}
	}
	return found ? 0 : -ENOENT;
}

int procfs_read_cgroup(pid_t pid, char *out, size_t size)
{
	char text[8192];
	ssize_t n = procfs_read(pid, "cgroup", text, sizeof(text));

	return n < 0 ? (int)n : procfs_parse_cgroup(text, out, size);
}

int procfs_is_own_namespace(void)
{
	char link[32];
	ssize_t n = readlink("/proc/self", link, sizeof(link) - 1);

	if (n < 0)
		return -errno;
	link[n] = '\0';
	return strtol(link, NULL, 10) == getpid();
}

int procfs_refuse_namespace(struct fault *fault)
{
	return fault_set_exit(fault, EXIT_NOT_SUPPORTED, -EXDEV,
			      "/proc shows another PID namespace than the one whystall runs in, "
			      "so PIDs would mean different processes: mount a new /proc "
			      "(unshare --mount-proc), or run whystall on the host");
}
