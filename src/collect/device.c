// SPDX-License-Identifier: BSD-2-Clause
#include "collect/device.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

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
 * File systems whose files carry a number of no device (btrfs) name their device in mountinfo:
 * "ID PARENT MAJOR:MINOR ROOT MOUNTPOINT OPTIONS ... - TYPE SOURCE OPTIONS".
 */
static int device_of_mount(const char *path, uint32_t *device)
{
	struct statx found = { 0 };
	int err = -ENODEV;
	char *line = NULL;
	size_t size = 0;
	FILE *f;

	if (statx(AT_FDCWD, path, 0, STATX_MNT_ID, &found) != 0)
		return -errno;
	f = fopen("/proc/self/mountinfo", "re");
	if (!f)
		return -errno;
	while (err && getline(&line, &size, f) > 0) {
		unsigned long long id;
		char source[PATH_MAX];
		struct stat st;
		char *dash;

		if (sscanf(line, "%llu", &id) != 1 || id != found.stx_mnt_id)
			continue;
		dash = strstr(line, " - ");
		if (!dash || sscanf(dash + 3, "%*s %4095s", source) != 1)
			continue;
		if (stat(source, &st) == 0 && S_ISBLK(st.st_mode)) {
			*device = device_number(major(st.st_rdev), minor(st.st_rdev));
			err = 0;
		}
	}
	free(line);
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
	else if (device_of_mount(path, &device) != 0)
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

struct parents {
	char (*names)[DISK_NAME_LEN];
	size_t count;
};

static void parents_add(struct parents *parents, const char *name)
{
	for (size_t i = 0; i < parents->count; i++)
		if (strcmp(parents->names[i], name) == 0)
			return;
	if (parents->count < MAX_PARENTS)
		text_copy(parents->names[parents->count++], DISK_NAME_LEN, name);
}

/* Call `visit` with the name of each entry of a folder; a folder that is not there has none. */
static void each_entry(const char *path, void (*visit)(const char *name, void *context),
		       void *context)
{
	DIR *dir = opendir(path);
	struct dirent *entry;

	if (!dir)
		return;
	while ((entry = readdir(dir)))
		if (entry->d_name[0] != '.')
			visit(entry->d_name, context);
	closedir(dir);
}

static void add_holder(const char *name, void *context)
{
	parents_add(context, name);
}

struct disk_parents {
	struct parents *parents;
	uint32_t disk;
	char folder[64]; /* of the disk in sysfs */
};

/* A folder in a disk's folder is a partition if it has holders. */
static void add_partition(const char *name, void *context)
{
	struct disk_parents *disk = context;
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s/holders", disk->folder, name);
	each_entry(path, add_holder, disk->parents);
}

/* The disk that a file lies on, 0 if there is none. */
static uint32_t disk_below(const char *path)
{
	struct device_choices choices = { 0 };
	struct fault fault;
	uint32_t disk = 0;

	if (choose_path(&choices, path, &fault) == 0 && choices.count)
		disk = choices.list[0].disk;
	device_choices_free(&choices);
	return disk;
}

static void add_loop(const char *name, void *context)
{
	struct disk_parents *disk = context;
	char path[PATH_MAX], file[PATH_MAX];
	FILE *f;

	snprintf(path, sizeof(path), "/sys/block/%s/loop/backing_file", name);
	f = fopen(path, "re");
	if (!f)
		return;
	if (fgets(file, sizeof(file), f)) {
		file[strcspn(file, "\n")] = '\0';
		if (disk_below(file) == disk->disk)
			parents_add(disk->parents, name);
	}
	fclose(f);
}

/* A path "nvme0c1n2" belongs to the drive "nvme0n2". */
static void add_multipath(struct parents *parents, const char *name)
{
	unsigned int subsystem, controller, number;
	char drive[DISK_NAME_LEN];

	if (sscanf(name, "nvme%uc%un%u", &subsystem, &controller, &number) != 3)
		return;
	snprintf(drive, sizeof(drive), "nvme%un%u", subsystem, number);
	parents_add(parents, drive);
}

size_t device_parents(uint32_t device, const char *name, char names[MAX_PARENTS][DISK_NAME_LEN])
{
	struct parents parents = { .names = names };
	struct disk_parents disk = { .parents = &parents, .disk = device };
	char path[PATH_MAX];

	snprintf(disk.folder, sizeof(disk.folder), "/sys/dev/block/%u:%u", device_major(device),
		 device_minor(device));
	snprintf(path, sizeof(path), "%s/holders", disk.folder);
	each_entry(path, add_holder, &parents);
	each_entry(disk.folder, add_partition, &disk);
	each_entry("/sys/block", add_loop, &disk);
	add_multipath(&parents, name);
	return parents.count;
}

static void note_entry(const char *name, void *context)
{
	(void)name;
	*(bool *)context = true;
}

/* By the mount with the longest name above it; of two at one place the later one hides the earlier. */
static bool is_on_disk(const char *file)
{
	FILE *f = fopen("/proc/self/mountinfo", "re");
	size_t size = 0, longest = 0;
	bool on_disk = false;
	char *line = NULL;

	if (!f)
		return false;
	while (getline(&line, &size, f) > 0) {
		char target[PATH_MAX], source[PATH_MAX];
		const char *dash = strstr(line, " - ");
		unsigned int major;

		if (!dash || sscanf(line, "%*d %*d %u:%*u %*s %4095s", &major, target) != 2 ||
		    sscanf(dash + 3, "%*s %4095s", source) != 1 || !text_is_below(file, target) ||
		    strlen(target) < longest)
			continue;
		longest = strlen(target);
		/* btrfs has a number of no device, but names one. */
		on_disk = major != 0 || strncmp(source, "/dev/", 5) == 0;
	}
	free(line);
	fclose(f);
	return on_disk;
}

bool device_is_upper(uint32_t device, const char *name)
{
	char path[PATH_MAX], file[PATH_MAX];
	bool upper = false;
	FILE *f;

	snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/slaves", device_major(device),
		 device_minor(device));
	each_entry(path, note_entry, &upper);
	snprintf(path, sizeof(path), "/sys/block/%s/loop/backing_file", name);
	f = upper ? NULL : fopen(path, "re");
	if (!f)
		return upper;
	if (fgets(file, sizeof(file), f)) {
		file[strcspn(file, "\n")] = '\0';
		upper = is_on_disk(file);
	}
	fclose(f);
	return upper;
}
