// SPDX-License-Identifier: BSD-2-Clause
#include "collect/proc_ids.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/order.h"
#include "base/units.h"

static int by_number(const void *a, const void *b)
{
	return compare_numbers((uint64_t) * (const pid_t *)a, (uint64_t) * (const pid_t *)b);
}

static int add(struct proc_ids *ids, pid_t id)
{
	if (ids->count == ids->capacity) {
		size_t capacity = ids->capacity ? 2 * ids->capacity : 64;
		pid_t *list = reallocarray(ids->list, capacity, sizeof(*list));

		if (!list)
			return -ENOMEM;
		ids->list = list;
		ids->capacity = capacity;
	}
	ids->list[ids->count++] = id;
	return 0;
}

/* /proc lists them in order, which a folder of another file system does not. */
static void sort(struct proc_ids *ids)
{
	size_t kept = 0;

	sort_in_place(ids->list, ids->count, sizeof(*ids->list), by_number);
	for (size_t i = 0; i < ids->count; i++)
		if (!kept || ids->list[kept - 1] != ids->list[i])
			ids->list[kept++] = ids->list[i];
	ids->count = kept;
}

static int add_entries(struct proc_ids *ids, const char *entries, size_t len)
{
	int err = 0;

	for (size_t at = 0; !err && at < len;) {
		const struct dirent64 *entry = (const struct dirent64 *)(entries + at);
		uint64_t id;

		if (count_parse(entry->d_name, INT_MAX, &id) == 0)
			err = add(ids, (pid_t)id);
		at += entry->d_reclen;
	}
	return err;
}

int proc_ids_of_folder(struct proc_ids *ids, int folder_fd)
{
	_Alignas(struct dirent64) char entries[32768];
	ssize_t n = 0;
	int err = 0;

	ids->count = 0;
	if (lseek(folder_fd, 0, SEEK_SET) < 0)
		return -errno;
	while (!err && (n = getdents64(folder_fd, entries, sizeof(entries))) > 0)
		err = add_entries(ids, entries, (size_t)n);
	sort(ids);
	return n < 0 ? -errno : err;
}

/* Groups of groups of ..., so deep. */
enum { MAX_DEPTH = 64 };

static int add_processes(struct proc_ids *ids, int group_fd)
{
	int fd = openat(group_fd, "cgroup.procs", O_RDONLY | O_CLOEXEC);
	FILE *file = fd < 0 ? NULL : fdopen(fd, "r");
	int pid, err = 0;

	if (!file && fd >= 0)
		close(fd);
	if (!file)
		return 0;
	/* 0: of another PID namespace */
	while (!err && fscanf(file, "%d", &pid) == 1)
		if (pid > 0)
			err = add(ids, pid);
	fclose(file);
	return err;
}

static int add_group(struct proc_ids *ids, int parent_fd, const char *name, int depth)
{
	int fd = openat(parent_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *folder = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;
	int err;

	if (!folder && fd >= 0)
		close(fd);
	if (!folder)
		return 0;
	err = add_processes(ids, fd);
	while (!err && depth < MAX_DEPTH && (entry = readdir(folder)))
		if (entry->d_type == DT_DIR && entry->d_name[0] != '.')
			err = add_group(ids, fd, entry->d_name, depth + 1);
	closedir(folder);
	return err;
}

int proc_ids_of_cgroup(struct proc_ids *ids, const char *path)
{
	int err;

	ids->count = 0;
	err = add_group(ids, AT_FDCWD, path, 0);
	sort(ids);
	return err;
}

bool proc_ids_have(const struct proc_ids *ids, pid_t id)
{
	return ids->count &&
	       bsearch(&id, ids->list, ids->count, sizeof(*ids->list), by_number) != NULL;
}

void proc_ids_free(struct proc_ids *ids)
{
	free(ids->list);
	*ids = (struct proc_ids){ 0 };
}
