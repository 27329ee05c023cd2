// SPDX-License-Identifier: BSD-2-Clause
#include "collect/upper.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "collect/folder.h"

/* A short file, or the beginning of one; false if it cannot be read. */
static bool read_text(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, size - 1);

	if (fd >= 0)
		close(fd);
	if (n > 0)
		text[n] = '\0';
	return n > 0;
}

/* 0 where it cannot be read. */
static uint64_t read_number(const char *path)
{
	char text[32];

	return read_text(path, text, sizeof(text)) ? strtoull(text, NULL, 10) : 0;
}

static bool has_size(uint32_t device)
{
	char path[64];

	snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/size", device_major(device),
		 device_minor(device));
	return read_number(path) != 0;
}

/* Its number, if it is such a device and counts; 0 if not: no block device has that one. */
static uint32_t upper_of(const char *name, const struct device_choices *choices)
{
	unsigned int major, minor;
	char path[PATH_MAX], text[32];
	uint32_t device;

	snprintf(path, sizeof(path), "/sys/block/%s/mq", name);
	if (name[0] == '.' || access(path, F_OK) == 0)
		return 0;
	snprintf(path, sizeof(path), "/sys/block/%s/dev", name);
	if (!read_text(path, text, sizeof(text)) || sscanf(text, "%u:%u", &major, &minor) != 2)
		return 0;
	device = device_number(major, minor);
	return !choices->count || device_is_chosen(choices, device) ? device : 0;
}

struct listing {
	struct upper_watch *watch;
	const struct device_choices *choices;
};

static bool list_one(void *context, const char *name)
{
	struct listing *listing = context;
	struct upper_watch *watch = listing->watch;
	uint32_t device = upper_of(name, listing->choices);

	watch->found = device && has_size(device);
	if (device && !watch->found) {
		if (watch->empty_count < WATCHED_EMPTY)
			watch->empty[watch->empty_count] = device;
		watch->empty_count++;
	}
	return !watch->found;
}

static void list_all(struct upper_watch *watch, const struct device_choices *choices)
{
	struct listing listing = { .watch = watch, .choices = choices };

	watch->empty_count = 0;
	watch->found = false;
	if (folder_each("/sys/block", list_one, &listing))
		watch->events = 0;
}

bool upper_look(struct upper_watch *watch, const struct device_choices *choices)
{
	uint64_t before = watch->events;

	watch->events = read_number("/sys/kernel/uevent_seqnum");
	if (!before || watch->events != before || watch->empty_count > WATCHED_EMPTY)
		list_all(watch, choices);
	for (size_t i = 0; !watch->found && i < watch->empty_count; i++)
		watch->found = has_size(watch->empty[i]);
	return watch->found;
}
