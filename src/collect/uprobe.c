// SPDX-License-Identifier: BSD-2-Clause
#include "collect/uprobe.h"

#include <errno.h>
#include <linux/perf_event.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22 /* Linux 5.14 */
#endif

/* The number behind `prefix` in a file of the kernel's, or a negative errno. */
static int read_number(const char *path, const char *prefix)
{
	FILE *file = fopen(path, "re");
	char line[32];
	int value = -EIO;

	if (!file)
		return -errno;
	if (fgets(line, sizeof(line), file) && strncmp(line, prefix, strlen(prefix)) == 0)
		value = (int)strtol(line + strlen(prefix), NULL, 10);
	fclose(file);
	return value;
}

/*
 * To register a uprobe the kernel reads the page with its instruction, and no process of the whole machine can fork
 * meanwhile (dup_mmap_sem in kernel/events/uprobes.c). Here it is read before, while nobody waits for it.
 */
static int read_page(int fd, uint64_t offset)
{
	const size_t size = (size_t)sysconf(_SC_PAGESIZE);
	void *page = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd,
			  (off_t)(offset & ~(uint64_t)(size - 1)));
	int err = 0;

	if (page == MAP_FAILED)
		return -errno;
	/* It stays mapped until the child ends, so that it is not the first to go when memory is short. */
	if (madvise(page, size, MADV_POPULATE_READ))
		err = errno == EFAULT ? -EIO : -errno;
	return err;
}

int uprobe_open(int fd, uint64_t offset, bool is_return)
{
	struct perf_event_attr attr = { .size = sizeof(attr) };
	int type = read_number("/sys/bus/event_source/devices/uprobe/type", "");
	int bit = read_number("/sys/bus/event_source/devices/uprobe/format/retprobe", "config:");
	char path[64];
	int err, event;

	if (type < 0 || bit < 0 || bit > 63)
		return type < 0 ? type : bit < 0 ? bit : -EIO;
	err = read_page(fd, offset);
	if (err)
		return err;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	attr.type = (__u32)type;
	attr.config = is_return ? 1ULL << bit : 0;
	attr.uprobe_path = (__u64)(uintptr_t)path;
	attr.probe_offset = offset;
	event = (int)syscall(SYS_perf_event_open, &attr, -1, 0, -1, PERF_FLAG_FD_CLOEXEC);
	return event < 0 ? -errno : event;
}
