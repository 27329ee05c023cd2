// SPDX-License-Identifier: BSD-2-Clause
/*
 * Moves a known number of blocks with O_DIRECT, one request at a time and in each thread, and tells
 * its PID, so that a test knows exactly which process caused which bytes.
 *
 *   blockread [-wWSh] [-b BYTES] [-n COUNT] [-k SKIP] [-t THREADS] [-N NAME] FILE [NEXT ARG...]
 *
 * -w  print "ready PID" and wait for a line on stdin first (end of file: leave without I/O)
 * -W  write instead of read     -S  fsync COUNT times and move no data
 * -h  wait for one more line on stdin before leaving
 * -k  leave out the first SKIP blocks of the file     -N  set the process name
 * NEXT is executed at the end by the same process.
 */
#define _GNU_SOURCE
#include <err.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

static const char *file;
static size_t block_bytes = 4096;
static long count = 1;
static long skip;
static bool writing;
static bool syncing;

/* Byte by byte: a program executed later reads its own lines from the same stdin. */
static bool line_read(void)
{
	char c;

	while (read(STDIN_FILENO, &c, 1) == 1)
		if (c == '\n')
			return true;
	return false;
}

static void *blocks_move(void *arg)
{
	long first = skip + (long)arg * count;
	int fd = open(file, (writing ? O_RDWR : O_RDONLY) | (syncing ? 0 : O_DIRECT) | O_CLOEXEC);
	void *block;

	if (fd < 0)
		err(1, "%s", file);
	if (posix_memalign(&block, 4096, block_bytes))
		err(1, "memory");
	for (long i = 0; i < count; i++) {
		off_t offset = (off_t)(first + i) * (off_t)block_bytes;
		ssize_t done;

		if (syncing)
			done = fsync(fd) == 0 ? (ssize_t)block_bytes : -1;
		else if (writing)
			done = pwrite(fd, block, block_bytes, offset);
		else
			done = pread(fd, block, block_bytes, offset);
		if (done != (ssize_t)block_bytes)
			warn("%s: block %ld", file, first + i);
	}
	free(block);
	close(fd);
	return NULL;
}

int main(int argc, char **argv)
{
	bool wait_first = false, hold = false;
	long threads = 1;
	int option;

	while ((option = getopt(argc, argv, "+wWShb:n:k:t:N:")) != -1) {
		switch (option) {
		case 'w':
			wait_first = true;
			break;
		case 'W':
			writing = true;
			break;
		case 'S':
			syncing = true;
			break;
		case 'h':
			hold = true;
			break;
		case 'b':
			block_bytes = strtoul(optarg, NULL, 10);
			break;
		case 'n':
			count = strtol(optarg, NULL, 10);
			break;
		case 'k':
			skip = strtol(optarg, NULL, 10);
			break;
		case 't':
			threads = strtol(optarg, NULL, 10);
			break;
		case 'N':
			prctl(PR_SET_NAME, optarg);
			break;
		default:
			return 64;
		}
	}
	if (optind >= argc)
		errx(64, "FILE is missing");
	file = argv[optind++];

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (wait_first) {
		printf("ready %d\n", getpid());
		if (!line_read())
			return 0;
	}
	if (threads == 1) {
		blocks_move(NULL);
	} else {
		pthread_t *ids = calloc((size_t)threads, sizeof(*ids));

		if (!ids)
			err(1, "memory");
		for (long i = 0; i < threads; i++)
			if (pthread_create(&ids[i], NULL, blocks_move, (void *)i))
				errx(1, "thread");
		for (long i = 0; i < threads; i++)
			pthread_join(ids[i], NULL);
		free(ids);
	}
	printf("done %d\n", getpid());
	if (hold)
		line_read();
	if (optind < argc) {
		execv(argv[optind], argv + optind);
		err(1, "%s", argv[optind]);
	}
	return 0;
}
