// SPDX-License-Identifier: BSD-2-Clause
#include "collect/device.h"

#include <dirent.h>
#include <errno.h>
#include <fnmatch.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/text.h"

/* Read one number from /sys/dev/block/MAJOR:MINOR/FILE. */
static int read_attribute(uint32_t device, const char *file, unsigned long long *value)
{
	char path[128];
	FILE *f;
	int fields;

	snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/%s", device_major(device),
		 device_minor(device), file);
	f = fopen(path, "re");
	if (!f)
		return -errno;
	fields = fscanf(f, "%llu", value);
	fclose(f);
	return fields == 1 ? 0 : -EINVAL;
}

/* The number in a "dev" file below /sys. */
static int read_device(const char *path, uint32_t *device)
{
	unsigned int major, minor;
	FILE *f = fopen(path, "re");
	int fields;

	if (!f)
		return -errno;
	fields = fscanf(f, "%u:%u", &major, &minor);
	fclose(f);
	if (fields != 2)
		return -EINVAL;
	*device = device_number(major, minor);
	return 0;
}

static int choices_add(struct device_choices *choices, uint32_t device)
{
	struct device_choice choice = {
		.disk = device, .range = { .begin = 0, .end = UINT64_MAX, .shown = device }
	};
	unsigned long long number, start = 0, sectors = 0;
	struct device_choice *list;

	if (read_attribute(device, "partition", &number) == 0) {
		char path[64];
		int err;

		snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/../dev", device_major(device),
			 device_minor(device));
		err = read_device(path, &choice.disk);
		if (err || read_attribute(device, "start", &start) ||
		    read_attribute(device, "size", &sectors))
			return err ? err : -EIO;
		choice.range.begin = start;
		choice.range.end = start + sectors;
	}
	for (size_t i = 0; i < choices->count; i++)
		if (choices->list[i].range.shown == device)
			return 0;
	list = reallocarray(choices->list, choices->count + 1, sizeof(*list));
	if (!list)
		return -ENOMEM;
	list[choices->count++] = choice;
	choices->list = list;
	return 0;
}

/* Every block device of the host whose name matches; returns how many or a negative errno. */
static int choose_glob(struct device_choices *choices, const char *glob)
{
	DIR *dir = opendir("/sys/class/block");
	struct dirent *entry;
	int found = 0, err = 0;

	if (!dir)
		return -errno;
	while (!err && (entry = readdir(dir))) {
		char path[PATH_MAX];
		uint32_t device = 0;

		if (entry->d_name[0] == '.' || fnmatch(glob, entry->d_name, 0) != 0)
			continue;
		snprintf(path, sizeof(path), "/sys/class/block/%s/dev", entry->d_name);
		err = read_device(path, &device);
		if (err == -ENOENT) { /* gone meanwhile */
			err = 0;
			continue;
		}
		if (!err)
			err = choices_add(choices, device);
		found++;
	}
	closedir(dir);
	return err ? err : found;
}

/*
 * File systems without a device of their own number (btrfs, overlay over one) name the device in
 * mountinfo: "ID PARENT MAJOR:MINOR ROOT MOUNTPOINT OPTIONS ... - TYPE SOURCE OPTIONS".
 */
static int device_of_mount(dev_t dev, uint32_t *device)
{
	FILE *f = fopen("/proc/self/mountinfo", "re");
	char line[8192];
	int err = -ENODEV;

	if (!f)
		return -errno;
	while (err && fgets(line, sizeof(line), f)) {
		char source[PATH_MAX];
		unsigned int major, minor;
		struct stat st;
		char *dash;

		if (sscanf(line, "%*d %*d %u:%u", &major, &minor) != 2 ||
		    makedev(major, minor) != dev)
			continue;
		dash = strstr(line, " - ");
		if (!dash || sscanf(dash + 3, "%*s %4095s", source) != 1)
			continue;
		if (stat(source, &st) == 0 && S_ISBLK(st.st_mode)) {
			*device = device_number(major(st.st_rdev), minor(st.st_rdev));
			err = 0;
		}
	}
	fclose(f);
	return err;
}

/* A path: a block device itself, or the device below any other file. */
static int choose_path(struct device_choices *choices, const char *path, struct fault *fault)
{
	struct stat st;
	uint32_t device = 0;
	int err;

	if (stat(path, &st) != 0)
		return fault_set(fault, -errno, "no device \"%s\": %s", path, strerror(errno));
	if (S_ISBLK(st.st_mode))
		device = device_number(major(st.st_rdev), minor(st.st_rdev));
	else if (major(st.st_dev) != 0)
		device = device_number(major(st.st_dev), minor(st.st_dev));
	else if (device_of_mount(st.st_dev, &device) != 0)
		return fault_set(fault, -ENODEV, "\"%s\" is not on a block device", path);
	err = choices_add(choices, device);
	return err ? fault_set(fault, err, "cannot read the size of the device of \"%s\": %s", path,
			       strerror(-err)) :
		     0;
}

static int choose_by_name(struct device_choices *choices, const char *name, struct fault *fault)
{
	char path[PATH_MAX];
	uint32_t device;
	int found;

	if (strcmp(name, "all") == 0) {
		choices->each = true;
		return 0;
	}
	if (strchr(name, '/'))
		return choose_path(choices, name, fault);
	found = choose_glob(choices, name);
	if (found < 0)
		return fault_set(fault, found, "cannot list block devices: %s", strerror(-found));
	if (found > 0)
		return 0;
	/* A name under /dev that is no kernel name: /dev/mapper/data, /dev/md/data. */
	static const char *const folders[] = { "/dev", "/dev/mapper", "/dev/md" };

	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
		struct stat st;

		if (snprintf(path, sizeof(path), "%s/%s", folders[i], name) >= (int)sizeof(path))
			break;
		if (stat(path, &st) == 0 && S_ISBLK(st.st_mode)) {
			device = device_number(major(st.st_rdev), minor(st.st_rdev));
			return choices_add(choices, device) ?
				       fault_set(fault, -EIO, "cannot read the size of %s", path) :
				       0;
		}
	}
	return fault_set(fault, -ENODEV, "no block device \"%s\"; see lsblk for their names", name);
}

bool device_is_chosen(const struct device_choices *choices, uint32_t device)
{
	for (size_t i = 0; i < choices->count; i++)
		if (choices->list[i].range.shown == device)
			return true;
	return false;
}

int device_choose(struct device_choices *choices, const char *name, struct fault *fault)
{
	int err = choose_by_name(choices, name, fault);
	size_t kept = 0;

	/* A request counts once: partitions of a disk that is chosen too are in the disk's row. */
	for (size_t i = 0; i < choices->count; i++) {
		const struct device_choice choice = choices->list[i];

		if (choice.range.shown == choice.disk || !device_is_chosen(choices, choice.disk))
			choices->list[kept++] = choice;
	}
	choices->count = kept;
	return err;
}

void device_choices_free(struct device_choices *choices)
{
	free(choices->list);
	memset(choices, 0, sizeof(*choices));
}

size_t device_parents(uint32_t device, char names[MAX_PARENTS][DISK_NAME_LEN])
{
	char path[64];
	struct dirent *entry;
	size_t count = 0;
	DIR *dir;

	snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/holders", device_major(device),
		 device_minor(device));
	dir = opendir(path);
	if (!dir)
		return 0; /* a partition, or gone: nothing known */
	while (count < MAX_PARENTS && (entry = readdir(dir)))
		if (entry->d_name[0] != '.')
			text_copy(names[count++], DISK_NAME_LEN, entry->d_name);
	closedir(dir);
	return count;
}
