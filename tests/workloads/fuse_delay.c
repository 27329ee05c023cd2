// SPDX-License-Identifier: BSD-2-Clause
/*
 * A file system with one file of zeros, "disk.img", whose every read takes a known time: the ground
 * truth for the device latency of a loop device on it.
 *
 *   fuse_delay SIZE_BYTES DELAY_US FAIL_FROM_BYTE MOUNTPOINT [-s]
 *   fuse_delay LIBRARY once|always 0 MOUNTPOINT
 *
 * DELAY_US may be cpu:US, which it spends computing, or socket:US, for which it waits on a TCP socket until a child of it
 * answers. With -s it serves one read after the other. The second form serves a library, "libbatches.so"; `once`: for the first one who
 * opens it, all others, and whoever asks for the file system, wait for ever.
 * Looking for any other name takes as long. Reads that reach FAIL_FROM_BYTE end with EIO (0: never). Stays
 * in the foreground.
 */
#define FUSE_USE_VERSION 31
#include <errno.h>
#include <fcntl.h>
#include <fuse.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static const char *disk_path = "/disk.img";
static int library = -1;
static int opens;
static int only_once;
static off_t disk_bytes;
static long delay_us;
static off_t fail_from;
static enum { BY_SLEEP, BY_CPU, BY_SOCKET } delay_kind;
static struct sockaddr_in upstream = { .sin_family = AF_INET };

static void sleep_for_delay(void)
{
	struct timespec pause = { delay_us / 1000000, delay_us % 1000000 * 1000 };

	while (nanosleep(&pause, &pause) && errno == EINTR)
		;
}

static void compute(void)
{
	struct timespec now;
	long end_us;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	end_us = now.tv_sec * 1000000 + now.tv_nsec / 1000 + delay_us;
	do
		clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	while (now.tv_sec * 1000000 + now.tv_nsec / 1000 < end_us);
}

/* Ask the child, and wait for its answer. */
static void ask(void)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char answer;

	if (fd < 0 || connect(fd, (struct sockaddr *)&upstream, sizeof(upstream)) ||
	    recv(fd, &answer, 1, 0) != 1)
		perror("upstream");
	close(fd);
}

static void delay(void)
{
	if (delay_kind == BY_CPU)
		compute();
	else if (delay_kind == BY_SOCKET)
		ask();
	else
		sleep_for_delay();
}

/* A child that answers each connection after the delay. */
static int start_upstream(void)
{
	socklen_t size = sizeof(upstream);
	int listening = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), fd;

	upstream.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (listening < 0 || bind(listening, (struct sockaddr *)&upstream, sizeof(upstream)) ||
	    listen(listening, 16) || getsockname(listening, (struct sockaddr *)&upstream, &size))
		return -1;
	if (fork())
		return close(listening);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	while ((fd = accept(listening, NULL, NULL)) >= 0) {
		sleep_for_delay();
		if (write(fd, "x", 1) != 1)
			perror("answer");
		close(fd);
	}
	_exit(1);
}

/* "US", "cpu:US" or "socket:US" */
static void parse_delay(const char *text)
{
	const char *colon = strchr(text, ':');

	if (colon)
		delay_kind = text[0] == 'c' ? BY_CPU : BY_SOCKET;
	delay_us = strtol(colon ? colon + 1 : text, NULL, 10);
}

static void never(void)
{
	for (;;)
		pause();
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
	st->st_mode = S_IFREG | 0555;
	st->st_nlink = 1;
	st->st_size = disk_bytes;
	return 0;
}

/* direct_io: no page cache and no readahead between the loop device and the delay. */
static int disk_open(const char *path, struct fuse_file_info *info)
{
	if (strcmp(path, disk_path))
		return -ENOENT;
	if (only_once && __sync_fetch_and_add(&opens, 1))
		never();
	info->direct_io = library < 0;
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
	if (library >= 0)
		return (int)pread(library, data, bytes, offset);
	delay();
	if (fail_from && offset + (off_t)bytes > fail_from)
		return -EIO;
	memset(data, 0, bytes);
	return (int)bytes;
}

static int disk_statfs(const char *path, struct statvfs *system)
{
	(void)path;
	if (only_once)
		never();
	memset(system, 0, sizeof(*system));
	return 0;
}

static const struct fuse_operations disk_operations = {
	.statfs = disk_statfs,
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
	only_once = strcmp(argv[2], "once") == 0;
	if (only_once || strcmp(argv[2], "always") == 0) {
		library = open(argv[1], O_RDONLY | O_CLOEXEC);
		if (library < 0) {
			perror(argv[1]);
			return 1;
		}
		disk_path = "/libbatches.so";
	}
	disk_bytes = library < 0 ? strtoll(argv[1], NULL, 10) : lseek(library, 0, SEEK_END);
	parse_delay(argv[2]);
	if (delay_kind == BY_SOCKET && start_upstream()) {
		perror("socket");
		return 1;
	}
	fail_from = strtoll(argv[3], NULL, 10);

	char *args[] = { argv[0], foreground, argv[4], argv[5], NULL };
	return fuse_main(argc - 2, args, &disk_operations, NULL);
}
