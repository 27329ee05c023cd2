// SPDX-License-Identifier: BSD-2-Clause
/*
 * A file system with one file of zeros, "disk.img", whose every read takes a known time: the ground
 * truth for the device latency of a loop device on it.
 *
 *   fuse_delay SIZE_BYTES DELAY_US FAIL_FROM_BYTE MOUNTPOINT [-s]
 *
 * With -s it serves one read after the other.
 * Looking for any other name takes as long. Reads that reach FAIL_FROM_BYTE end with EIO (0: never). Stays
 * in the foreground.
 */
#define FUSE_USE_VERSION 31
#include <errno.h>
#include <fuse.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

static const char disk_path[] = "/disk.img";
static off_t disk_bytes;
static long delay_us;
static off_t fail_from;

static void delay(void)
{
	struct timespec pause = { delay_us / 1000000, delay_us % 1000000 * 1000 };

	while (nanosleep(&pause, &pause) && errno == EINTR)
		;
}

static int disk_getattr(const char *path, struct stat *st, struct fuse_file_info *info)
{
	(void)info;
	memset(st, 0, sizeof(*st));
	if (strcmp(path, "/") == 0) {
		st->st_mode = S_IFDIR | 0755;
		st->st_nlink = 2;
		return 0;
	}
	if (strcmp(path, disk_path)) {
		delay();
		return -ENOENT;
	}
	st->st_mode = S_IFREG | 0444;
	st->st_nlink = 1;
	st->st_size = disk_bytes;
	return 0;
}

/* direct_io: no page cache and no readahead between the loop device and the delay. */
static int disk_open(const char *path, struct fuse_file_info *info)
{
	if (strcmp(path, disk_path))
		return -ENOENT;
	info->direct_io = 1;
	return 0;
}

static int disk_read(const char *path, char *data, size_t bytes, off_t offset,
		     struct fuse_file_info *info)
{
	(void)path;
	(void)info;
	if (offset >= disk_bytes)
		return 0;
	if ((off_t)bytes > disk_bytes - offset)
		bytes = (size_t)(disk_bytes - offset);
	delay();
	if (fail_from && offset + (off_t)bytes > fail_from)
		return -EIO;
	memset(data, 0, bytes);
	return (int)bytes;
}

static const struct fuse_operations disk_operations = {
	.getattr = disk_getattr,
	.open = disk_open,
	.read = disk_read,
};

int main(int argc, char **argv)
{
	char foreground[] = "-f";

	if (argc != 5 && argc != 6) {
		fprintf(stderr,
			"usage: fuse_delay SIZE_BYTES DELAY_US FAIL_FROM_BYTE MOUNTPOINT\n");
		return 64;
	}
	disk_bytes = strtoll(argv[1], NULL, 10);
	delay_us = strtol(argv[2], NULL, 10);
	fail_from = strtoll(argv[3], NULL, 10);

	char *args[] = { argv[0], foreground, argv[4], argv[5], NULL };
	return fuse_main(argc - 2, args, &disk_operations, NULL);
}
