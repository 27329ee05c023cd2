// SPDX-License-Identifier: BSD-2-Clause
#include "collect/limits.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "base/units.h"

enum { TEXT_LEN = 16384, MOST_CPUS = 1 << 20, KEPT_GROUPS = 64 };

/* What the control groups of one hierarchy let a process have that is in this one. */
struct group_limits {
	const char *controller; /* NULL: cgroup 2 */
	char group[LIMITED_GROUP_LEN];
	struct limits limits;
};

struct limits_reader {
	const char *root;
	/* Since limits_reader_begin(): */
	bool host_read, mounts_read;
	struct memory_room host;
	char mounts[TEXT_LEN]; /* /proc/self/mounts */
	struct group_limits groups[KEPT_GROUPS];
	size_t group_count;
};

struct limits_reader *limits_reader_new(const char *root)
{
	struct limits_reader *reader = calloc(1, sizeof(*reader));

	if (reader)
		reader->root = root;
	return reader;
}

void limits_reader_begin(struct limits_reader *reader)
{
	reader->host_read = reader->mounts_read = false;
	reader->group_count = 0;
}

void limits_reader_free(struct limits_reader *reader)
{
	free(reader);
}

/* The beginning of a file, up to the last whole line if it is longer. Returns false if it cannot be read. */
static bool read_text(const char *path, char text[TEXT_LEN])
{
	size_t used = 0;
	ssize_t n;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return false;
	while (used < TEXT_LEN - 1 && (n = read(fd, text + used, TEXT_LEN - 1 - used)) > 0)
		used += (size_t)n;
	close(fd);
	text[used] = '\0';
	if (used == TEXT_LEN - 1) {
		char *end = strrchr(text, '\n');

		text[end ? end - text : 0] = '\0';
	}
	return used > 0;
}

/* Read ROOT/FOLDER/NAME. */
static bool read_in(const char *root, const char *folder, const char *name, char text[TEXT_LEN])
{
	char path[PATH_MAX];
	int n = snprintf(path, sizeof(path), "%s%s/%s", root, folder, name);

	return n > 0 && (size_t)n < sizeof(path) && read_text(path, text);
}

unsigned int limits_count_cpus(const char *list)
{
	unsigned int count = 0;

	while (isdigit((unsigned char)*list)) {
		char *end;
		unsigned long first = strtoul(list, &end, 10), last = first;

		if (*end == '-') {
			list = end + 1;
			if (!isdigit((unsigned char)*list))
				return 0;
			last = strtoul(list, &end, 10);
		}
		if (last < first || last >= MOST_CPUS)
			return 0;
		count += (unsigned int)(last - first) + 1;
		if (count > MOST_CPUS)
			return 0;
		list = *end == ',' ? end + 1 : end;
	}
	return *list && !isspace((unsigned char)*list) ? 0 : count;
}

static void lower_cpus(struct limits *limits, double cpus)
{
	if (cpus > 0 && (limits->cpus <= 0 || cpus < limits->cpus))
		limits->cpus = cpus;
}

static void lower_device(struct limits *limits, uint32_t device, double bytes_s)
{
	size_t i = 0;

	while (i < limits->device_count && limits->devices[i].device != device)
		i++;
	if (i == LIMITED_DEVICES || bytes_s <= 0)
		return;
	if (i < limits->device_count && limits->devices[i].read_bytes_s <= bytes_s)
		return;
	limits->devices[i] = (struct device_limit){ .device = device, .read_bytes_s = bytes_s };
	limits->device_count += i == limits->device_count;
}

/* "8:16 1048576" (blkio.throttle.read_bps_device) or "8:16 rbps=1048576 wbps=max ..." (io.max), a line each. */
static void take_devices(struct limits *limits, char *text)
{
	char *next = text, *line;

	while ((line = strsep(&next, "\n"))) {
		const char *value = strstr(line, " rbps=");
		unsigned int major, minor;
		int at = 0;

		if (sscanf(line, "%u:%u %n", &major, &minor, &at) != 2 || !at || major > 0xfff ||
		    minor > 0xfffff)
			continue;
		value = value ? value + strlen(" rbps=") : line + at;
		if (isdigit((unsigned char)*value))
			lower_device(limits, major << 20 | minor, strtod(value, NULL));
	}
}

/* "max 100000" or "200000 100000": microseconds of each so many. */
static bool take_quota(struct limits *limits, const char *text)
{
	unsigned long long quota, period;

	if (sscanf(text, "%llu %llu", &quota, &period) != 2 || !quota || !period)
		return false;
	lower_cpus(limits, (double)quota / (double)period);
	return true;
}

/* The number behind a name at the begin of a line, as in /proc/meminfo ("MemFree:  123 kB") and memory.stat. */
static bool find_number(const char *text, const char *name, uint64_t *number)
{
	const size_t len = strlen(name);

	for (const char *line = text; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (strncmp(line, name, len) == 0 && (line[len] == ' ' || line[len] == ':'))
			return sscanf(line + len + 1, "%" SCNu64, number) == 1;
	}
	return false;
}

static const struct memory_room *host_memory(struct limits_reader *reader)
{
	struct memory_room *room = &reader->host;
	char text[TEXT_LEN];
	uint64_t kib;

	if (reader->host_read)
		return room;
	*room = (struct memory_room){ 0 };
	room->known = read_in(reader->root, "/proc", "meminfo", text) &&
		      find_number(text, "MemAvailable", &kib) && kib < UINT64_MAX >> 10;
	if (room->known)
		room->bytes = room->host_bytes = kib << 10;
	reader->host_read = true;
	return room;
}

/* A limit as the kernel writes it: "max" in version 2, a number beyond all memory in version 1. */
static uint64_t read_bytes(const char *root, const char *folder, const char *name)
{
	char text[TEXT_LEN];
	uint64_t bytes;

	if (!read_in(root, folder, name, text) || sscanf(text, "%" SCNu64, &bytes) != 1)
		return UINT64_MAX;
	return bytes;
}

/* What a limit leaves beside what cannot be dropped. */
static void lower_memory(struct memory_room *room, const char *folder, uint64_t limit,
			 uint64_t used, uint64_t cached)
{
	uint64_t kept = used > cached ? used - cached : 0;
	uint64_t left = limit > kept ? limit - kept : 0;

	if (limit >= UINT64_MAX >> 2 || used == UINT64_MAX || (room->known && left >= room->bytes))
		return;
	room->known = true;
	room->bytes = left;
	text_copy(room->group, sizeof(room->group), folder);
}

/* Pages of files, those below the group included; of a name's beginning, "total_" in version 1. */
static uint64_t read_cached(const char *root, const char *folder, bool total)
{
	uint64_t active = 0, inactive = 0;
	char text[TEXT_LEN];

	if (!read_in(root, folder, "memory.stat", text))
		return 0;
	find_number(text, total ? "total_active_file" : "active_file", &active);
	find_number(text, total ? "total_inactive_file" : "inactive_file", &inactive);
	return active + inactive;
}

static void take_memory_unified(struct limits *limits, const char *root, const char *folder)
{
	uint64_t most = read_bytes(root, folder, "memory.max");
	uint64_t high = read_bytes(root, folder, "memory.high");

	lower_memory(&limits->memory, folder, most < high ? most : high,
		     read_bytes(root, folder, "memory.current"), read_cached(root, folder, false));
}

static void take_memory_group(struct limits *limits, const char *root, const char *folder)
{
	lower_memory(&limits->memory, folder, read_bytes(root, folder, "memory.limit_in_bytes"),
		     read_bytes(root, folder, "memory.usage_in_bytes"),
		     read_cached(root, folder, true));
}

/* "throttled_usec 12" in version 2, "throttled_time 12000" in version 1. */
static void take_held_back(struct limits *limits, const char *root, const char *folder)
{
	char text[TEXT_LEN];
	uint64_t time;

	if (limits->held_back_known || !read_in(root, folder, "cpu.stat", text))
		return;
	if (find_number(text, "throttled_usec", &time))
		limits->held_back_ns = time * NS_PER_US;
	else if (find_number(text, "throttled_time", &time))
		limits->held_back_ns = time;
	else
		return;
	limits->held_back_known = true;
}

static void take_unified(struct limits *limits, const char *root, const char *folder)
{
	char text[TEXT_LEN];

	if (read_in(root, folder, "io.max", text))
		take_devices(limits, text);
	if (read_in(root, folder, "cpu.max", text) && take_quota(limits, text))
		take_held_back(limits, root, folder);
	take_memory_unified(limits, root, folder);
}

static void take_cpu(struct limits *limits, const char *root, const char *folder)
{
	char quota[TEXT_LEN], period[TEXT_LEN];
	double of, each;

	if (!read_in(root, folder, "cpu.cfs_quota_us", quota) ||
	    !read_in(root, folder, "cpu.cfs_period_us", period))
		return;
	of = strtod(quota, NULL); /* -1: none */
	each = strtod(period, NULL);
	if (of > 0 && each > 0) {
		lower_cpus(limits, of / each);
		take_held_back(limits, root, folder);
	}
}

static void take_blkio(struct limits *limits, const char *root, const char *folder)
{
	char text[TEXT_LEN];

	if (read_in(root, folder, "blkio.throttle.read_bps_device", text))
		take_devices(limits, text);
}

/* Is this a word of a list with commas? */
static bool has_word(const char *list, const char *word)
{
	size_t len = strlen(word);

	for (const char *at = list; (at = strstr(at, word)); at += len)
		if ((at == list || at[-1] == ',') && (at[len] == '\0' || at[len] == ','))
			return true;
	return false;
}

/* Where the hierarchy of this controller is mounted; NULL: cgroup 2. Spaces and the like in it are not undone. */
static bool find_mount(struct limits_reader *reader, const char *controller, char folder[PATH_MAX])
{
	char text[TEXT_LEN], *next = text, *line;

	if (!reader->mounts_read && !read_in(reader->root, "/proc/self", "mounts", reader->mounts))
		reader->mounts[0] = '\0';
	reader->mounts_read = true;
	memcpy(text, reader->mounts, sizeof(text));
	while ((line = strsep(&next, "\n"))) {
		const char *device = strsep(&line, " "), *at = strsep(&line, " ");
		const char *type = strsep(&line, " "), *options = strsep(&line, " ");

		if (!device || !at || !type || !options)
			continue;
		if (controller ? strcmp(type, "cgroup") == 0 && has_word(options, controller) :
				 strcmp(type, "cgroup2") == 0)
			return text_copy(folder, PATH_MAX, at);
	}
	return false;
}

/* What is read of the control groups of one hierarchy. */
struct hierarchy {
	const char *controller; /* NULL: cgroup 2 */
	bool above;             /* those that a group is in count too */
	void (*take)(struct limits *, const char *root, const char *folder);
};

static const struct hierarchy unified = { NULL, true, take_unified };

static const struct hierarchy hierarchies[] = {
	{ "cpu", true, take_cpu },
	{ "memory", true, take_memory_group },
	/* In version 1 a limit of I/O is that of one group, without those in it (blk-throttle.c, throtl_pd_init). */
	{ "blkio", false, take_blkio },
};

static void read_group(struct limits_reader *reader, const struct hierarchy *hierarchy,
		       const char *group, struct limits *limits)
{
	char mount[PATH_MAX], folder[PATH_MAX];
	size_t len;
	int n;

	/* Outside of the namespace of control groups that whystall is in. */
	if (group[0] != '/' || strstr(group, "/..") ||
	    !find_mount(reader, hierarchy->controller, mount))
		return;
	n = snprintf(folder, sizeof(folder), "%s%s", mount, strcmp(group, "/") == 0 ? "" : group);
	if (n < 0 || (size_t)n >= sizeof(folder))
		return;
	len = strlen(mount);
	for (;;) {
		char *slash;

		hierarchy->take(limits, reader->root, folder);
		slash = strrchr(folder, '/');
		if (!hierarchy->above || !slash || (size_t)(slash - folder) < len)
			return;
		*slash = '\0';
	}
}

/* Lower what the process may have to what its control groups may. */
static void lower(struct limits *limits, const struct limits *group)
{
	lower_cpus(limits, group->cpus);
	for (size_t i = 0; i < group->device_count; i++)
		lower_device(limits, group->devices[i].device, group->devices[i].read_bytes_s);
	if (!limits->held_back_known && group->held_back_known) {
		limits->held_back_known = true;
		limits->held_back_ns = group->held_back_ns;
	}
	if (limits->memory.known && group->memory.known &&
	    group->memory.bytes < limits->memory.bytes) {
		limits->memory.bytes = group->memory.bytes;
		memcpy(limits->memory.group, group->memory.group, sizeof(limits->memory.group));
	}
}

/* Read once for all processes that are in this group. */
static void take_group(struct limits_reader *reader, const struct hierarchy *hierarchy,
		       const char *group, struct limits *limits)
{
	struct group_limits *g = reader->groups;
	struct group_limits *end = g + reader->group_count;
	struct limits unkept = { 0 };

	while (g < end && (g->controller != hierarchy->controller || strcmp(g->group, group) != 0))
		g++;
	if (g < end) {
		lower(limits, &g->limits);
	} else if (reader->group_count < KEPT_GROUPS && strlen(group) < sizeof(g->group)) {
		*g = (struct group_limits){ .controller = hierarchy->controller };
		text_copy(g->group, sizeof(g->group), group);
		read_group(reader, hierarchy, group, &g->limits);
		reader->group_count++;
		lower(limits, &g->limits);
	} else {
		read_group(reader, hierarchy, group, &unkept);
		lower(limits, &unkept);
	}
}

/* By each line of /proc/PID/cgroup: "4:cpu,cpuacct:/path", "0::/path". */
static void take_groups(struct limits_reader *reader, struct limits *limits, char *text)
{
	char *next = text, *line;

	while ((line = strsep(&next, "\n"))) {
		const char *number = strsep(&line, ":"), *controllers = strsep(&line, ":");

		if (!number || !controllers || !line)
			continue;
		if (!controllers[0])
			take_group(reader, &unified, line, limits);
		for (size_t i = 0; i < sizeof(hierarchies) / sizeof(hierarchies[0]); i++)
			if (has_word(controllers, hierarchies[i].controller))
				take_group(reader, &hierarchies[i], line, limits);
	}
}

int limits_read(struct limits_reader *reader, struct limits *limits, pid_t pid)
{
	static const char field[] = "\nCpus_allowed_list:";
	char folder[64], text[TEXT_LEN];
	const char *allowed;

	*limits = (struct limits){ .pid = pid };
	snprintf(folder, sizeof(folder), "/proc/%d", pid);
	/* One that has ended is in no control group any more: /proc says "/". */
	if (!read_in(reader->root, folder, "status", text) || strstr(text, "\nState:\tZ") ||
	    strstr(text, "\nState:\tX"))
		return -ESRCH;
	allowed = strstr(text, field);
	if (allowed) {
		allowed += strlen(field);
		lower_cpus(limits, limits_count_cpus(allowed + strspn(allowed, " \t")));
	}
	limits->memory = *host_memory(reader);
	if (read_in(reader->root, folder, "cgroup", text))
		take_groups(reader, limits, text);
	return 0;
}
