// SPDX-License-Identifier: BSD-2-Clause
#include "collect/target.h"

#include <dirent.h>
#include <errno.h>
#include <fnmatch.h>
#include <limits.h>
#include <linux/magic.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/units.h"
#include "collect/procfs.h"

int target_add_pid(struct target *target, pid_t pid, struct fault *fault)
{
	pid_t tgid;
	pid_t *pids;
	int err;

	err = procfs_read_tgid(pid, &tgid);
	/* Under hidepid /proc does not have others' processes, or not their files. */
	if (err && kill(pid, 0) != 0 && errno == EPERM)
		return fault_set_exit(fault, EXIT_NOT_SUPPORTED, -EPERM,
				      "process %d is another user's, and hidden from this one: run "
				      "whystall as that user or as root",
				      pid);
	if (err == -ENOENT || err == -ESRCH)
		return fault_set(fault, -ESRCH, "no process has PID %d", pid);
	if (err)
		return fault_set(fault, err, "cannot read /proc/%d: %s", pid, strerror(-err));
	if (tgid != pid)
		return fault_set(fault, -ESRCH, "%d is a thread of process %d: use -p %d", pid,
				 tgid, tgid);
	if (procfs_is_kernel_thread(pid) == 1)
		return fault_set(fault, -EINVAL, "%d is a thread of the kernel, not a job", pid);
	for (size_t i = 0; i < target->pid_count; i++)
		if (target->pids[i] == pid)
			return 0;
	pids = reallocarray(target->pids, target->pid_count + 1, sizeof(*pids));
	if (!pids)
		return fault_set(fault, -ENOMEM, "out of memory");
	pids[target->pid_count++] = pid;
	target->pids = pids;
	return 0;
}

int target_add_pids(struct target *target, const char *list, struct fault *fault)
{
	char *copy = strdup(list), *next = copy, *item;
	int err = 0;

	if (!copy)
		return fault_set(fault, -ENOMEM, "out of memory");
	while (!err && (item = strsep(&next, ","))) {
		uint64_t pid;

		if (count_parse(item, INT_MAX, &pid) != 0)
			err = fault_set_exit(
				fault, EXIT_USAGE, -EINVAL,
				"\"%s\" is not a PID: -p takes numbers with commas between", item);
		else
			err = target_add_pid(target, (pid_t)pid, fault);
	}
	free(copy);
	return err;
}

/*
 * The number of the version 1 hierarchy that `path` is in, by its mount: "... - cgroup SOURCE
 * rw,blkio" names a controller, and /proc/cgroups the controller's hierarchy.
 */
static int cgroup1_hierarchy(dev_t dev, uint32_t *hierarchy)
{
	char line[4096], options[1024] = "";
	FILE *f = fopen("/proc/self/mountinfo", "re");

	if (!f)
		return -errno;
	while (fgets(line, sizeof(line), f)) {
		unsigned int major, minor;
		char *dash = strstr(line, " - cgroup ");

		if (dash && sscanf(line, "%*d %*d %u:%u", &major, &minor) == 2 &&
		    major == major(dev) && minor == minor(dev) &&
		    sscanf(dash, " - cgroup %*s %1023s", options) == 1)
			break;
	}
	fclose(f);
	f = fopen("/proc/cgroups", "re");
	if (!f)
		return -errno;
	*hierarchy = 0;
	while (fgets(line, sizeof(line), f)) {
		char controller[64], wanted[1024];
		char *next = wanted, *item;
		unsigned int number;

		memcpy(wanted, options, sizeof(wanted));
		if (sscanf(line, "%63s %u", controller, &number) != 2)
			continue;
		while ((item = strsep(&next, ",")))
			if (strcmp(item, controller) == 0)
				*hierarchy = number;
	}
	fclose(f);
	return *hierarchy ? 0 : -ENOENT;
}

/* Select the control group whose directory this is; -ENOTDIR if it is none. */
static int choose_cgroup_directory(struct target *target, const char *path)
{
	struct statfs fs;
	struct stat st;

	if (stat(path, &st) != 0 || statfs(path, &fs) != 0)
		return -errno;
	if (!S_ISDIR(st.st_mode) ||
	    (fs.f_type != CGROUP2_SUPER_MAGIC && fs.f_type != CGROUP_SUPER_MAGIC))
		return -ENOTDIR;
	/* On 64-bit kernels the inode number is the cgroup's id (kernfs, v5.5). */
	target->cgroup_id = st.st_ino;
	target->cgroup_hierarchy = 0;
	if (fs.f_type == CGROUP_SUPER_MAGIC) {
		int err = cgroup1_hierarchy(st.st_dev, &target->cgroup_hierarchy);

		if (err)
			return err;
	}
	free(target->cgroup_path);
	target->cgroup_path = realpath(path, NULL);
	if (!target->cgroup_path)
		return -errno;
	target->has_cgroup = true;
	return 0;
}

/* Try `path` below every mounted hierarchy, as /proc/PID/cgroup writes it. */
static int choose_cgroup_below_mounts(struct target *target, const char *path)
{
	static const char *const types[] = { " - cgroup2 ", " - cgroup " };
	char line[4096], mount[2048], full[PATH_MAX];
	int err = -ENOENT;

	for (size_t i = 0; err && i < sizeof(types) / sizeof(types[0]); i++) {
		FILE *f = fopen("/proc/self/mountinfo", "re");

		if (!f)
			return -errno;
		while (err && fgets(line, sizeof(line), f)) {
			if (!strstr(line, types[i]) ||
			    sscanf(line, "%*d %*d %*s %*s %2047s", mount) != 1 ||
			    snprintf(full, sizeof(full), "%s/%s", mount, path) >= (int)sizeof(full))
				continue;
			err = choose_cgroup_directory(target, full);
		}
		fclose(f);
	}
	return err;
}

int target_set_cgroup(struct target *target, const char *path, struct fault *fault)
{
	int err;

	/* An unset variable of a script must not mean the root, which holds everything. */
	if (!*path)
		return fault_set_exit(fault, EXIT_USAGE, -EINVAL,
				      "-c needs the name of a control group");
	err = choose_cgroup_directory(target, path);
	if (err == -ENOENT || err == -ENOTDIR) {
		int below = choose_cgroup_below_mounts(target, path);

		if (below == 0)
			return 0;
	}
	if (err == -ENOENT)
		return fault_set(fault, err, "no control group \"%s\" in any mounted hierarchy",
				 path);
	if (err == -ENOTDIR)
		return fault_set(fault, err, "\"%s\" is not the directory of a control group",
				 path);
	if (err)
		return fault_set(fault, err, "cannot use the control group \"%s\": %s", path,
				 strerror(-err));
	return 0;
}

int target_set_glob(struct target *target, const char *pattern, struct fault *fault)
{
	int err = glob_compile(pattern, &target->glob, fault);

	if (!err)
		target->has_glob = true;
	return err;
}

static bool is_gpu_node(const char *path)
{
	return fnmatch("/dev/nvidia[0-9]*", path, 0) == 0 || strcmp(path, "/dev/kfd") == 0 ||
	       fnmatch("/dev/accel/accel[0-9]*", path, 0) == 0;
}

static bool holds_gpu(const char *pid)
{
	char path[64];
	struct dirent *entry;
	bool found = false;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%s/fd", pid);
	dir = opendir(path);
	if (!dir)
		return false; /* gone, or not ours to read */
	while (!found && (entry = readdir(dir))) {
		char link[PATH_MAX];
		ssize_t n = readlinkat(dirfd(dir), entry->d_name, link, sizeof(link) - 1);

		if (n <= 0)
			continue;
		link[n] = '\0';
		found = is_gpu_node(link);
	}
	closedir(dir);
	return found;
}

int target_add_gpu_holders(struct target *target, struct fault *fault)
{
	DIR *proc = opendir("/proc");
	struct dirent *entry;
	int found = 0, err = 0;

	if (!proc)
		return fault_set(fault, -errno, "cannot read /proc: %s", strerror(errno));
	while (!err && (entry = readdir(proc))) {
		uint64_t pid;

		if (count_parse(entry->d_name, INT_MAX, &pid) != 0 || !holds_gpu(entry->d_name))
			continue;
		err = target_add_pid(target, (pid_t)pid, fault);
		if (err == -ESRCH)
			err = 0; /* ended meanwhile */
		else
			found++;
	}
	closedir(proc);
	return err ? err : found;
}

bool target_is_set(const struct target *target)
{
	return target->all || target->pid_count || target->has_cgroup || target->has_glob;
}

void target_free(struct target *target)
{
	free(target->pids);
	free(target->cgroup_path);
	target->pids = NULL;
	target->cgroup_path = NULL;
	target->pid_count = 0;
}
