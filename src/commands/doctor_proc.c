// SPDX-License-Identifier: BSD-2-Clause
#include "commands/doctor_proc.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "collect/procfs.h"

static const struct proc_file {
	const char *path;
	const char *name;
	const char *shows;
	const char *remedy;
} files[] = {
	{ "/proc/diskstats", "without BPF: disks", "throughput and utilisation of each disk",
	  "a container that does not mask it (Docker: --security-opt systempaths=unconfined)" },
	{ "/proc/self/io", "without BPF: bytes", "what each process reads and writes",
	  "a kernel with CONFIG_TASK_IO_ACCOUNTING=y, and a container that does not mask it" },
	{ "/proc/self/schedstat", "without BPF: processor time",
	  "how long threads ran, and waited for a processor",
	  "a kernel with CONFIG_SCHED_INFO=y, and a container that does not mask it" },
	{ "/proc/pressure/io", "without BPF: pressure", "how long the host waited for storage",
	  "a kernel with CONFIG_PSI=y and without psi=0, and a container that does not mask it" },
};

enum { FILES = sizeof(files) / sizeof(files[0]) };

/* A masked file is there and empty. Returns 0 or a negative errno. */
static int read_start(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;
	int err = 0;

	if (fd < 0)
		return -errno;
	n = read(fd, text, size - 1);
	if (n <= 0)
		err = n < 0 ? -errno : -ENODATA;
	else
		text[n] = '\0';
	close(fd);
	return err;
}

static struct doctor_check *add(struct doctor_report *report, const char *name, bool ok,
				const char *remedy)
{
	struct doctor_check *check = &report->checks[report->count++];

	*check = (struct doctor_check){ .ok = ok };
	snprintf(check->name, sizeof(check->name), "%s", name);
	if (!ok)
		snprintf(check->remedy, sizeof(check->remedy), "%s", remedy);
	return check;
}

static void check_file(struct doctor_report *report, const struct proc_file *file)
{
	char text[256];
	int err = read_start(file->path, text, sizeof(text));
	struct doctor_check *check = add(report, file->name, !err, file->remedy);

	if (err)
		snprintf(check->detail, sizeof(check->detail), "%s: %s; not known is %s",
			 file->path, err == -ENODATA ? "empty (masked)" : strerror(-err),
			 file->shows);
	else
		snprintf(check->detail, sizeof(check->detail), "%s (%s)", file->shows, file->path);
}

/* Yama lets a process look into its own descendants alone. */
static bool held_back_by_yama(void)
{
	char text[32];

	return geteuid() != 0 &&
	       read_start("/proc/sys/kernel/yama/ptrace_scope", text, sizeof(text)) == 0 &&
	       strtol(text, NULL, 10) > 0;
}

static void check_waits(struct doctor_report *report)
{
	char text[256];
	bool yama = held_back_by_yama();
	int err = read_start("/proc/self/syscall", text, sizeof(text));
	struct doctor_check *check =
		add(report, "without BPF: waits", !err && !yama,
		    yama ? "whystall -- PROGRAM; or sysctl kernel.yama.ptrace_scope=0" :
			   "a kernel with CONFIG_HAVE_ARCH_TRACEHOOK=y");

	if (err)
		snprintf(check->detail, sizeof(check->detail),
			 "/proc/PID/syscall: %s; not known is in what a thread waits",
			 strerror(-err));
	else
		snprintf(check->detail, sizeof(check->detail), "%s",
			 yama ? "in what a thread waits is known of programs that whystall starts, "
				"not of others (Yama)" :
				"in which system call a thread waits (/proc/PID/syscall)");
}

static void check_others(struct doctor_report *report)
{
	char text[256];
	bool ok = read_start("/proc/1/stat", text, sizeof(text)) == 0;
	struct doctor_check *check =
		add(report, "without BPF: other users", ok,
		    "root, or a /proc that is mounted with gid= of a group of yours");

	snprintf(check->detail, sizeof(check->detail), "%s",
		 ok ? "their processes can be seen; their bytes only as root" :
		      "their processes are hidden (hidepid)");
}

void doctor_check_proc_source(struct doctor_report *report)
{
	char text[256];

	report->sources.proc = procfs_is_own_namespace() == 1 &&
			       read_start("/proc/self/stat", text, sizeof(text)) == 0;
	for (int i = 0; i < FILES; i++)
		check_file(report, &files[i]);
	check_waits(report);
	check_others(report);
}
