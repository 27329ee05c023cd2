// SPDX-License-Identifier: BSD-2-Clause
/*
 * So many processes that each read and write 4 KiB of every file, once a second, past the cache.
 *
 *   clients COUNT FILE...
 *
 * Two keys for each process and file. Their moments are spread over the second. Prints "ready" when each of them
 * has been through all files once. They end with their parent, and it with its own.
 */
#define _GNU_SOURCE
#include <err.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

enum { BLOCK = 4096, NS_PER_S = 1000000000 };

static void *block;

static void move_blocks(const int *fds, int count)
{
	for (int i = 0; i < count; ++i)
		if (pread(fds[i], block, BLOCK, 0) != BLOCK ||
		    pwrite(fds[i], block, BLOCK, BLOCK) != BLOCK)
			err(1, "cannot read and write a block of file %d", i);
}

static void client(const int *fds, int count, long phase_ns, int ready_fd)
{
	struct timespec at;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	move_blocks(fds, count);
	if (write(ready_fd, "", 1) != 1)
		err(1, "cannot say that it is ready");
	clock_gettime(CLOCK_MONOTONIC, &at);
	at.tv_nsec = phase_ns;
	for (;;) {
		++at.tv_sec;
		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL);
		move_blocks(fds, count);
	}
}

int main(int argc, char **argv)
{
	long count = argc > 2 ? strtol(argv[1], NULL, 10) : 0;
	int files = argc - 2, ready[2];
	int *fds;
	char byte;

	if (count < 1)
		errx(64, "usage: clients COUNT FILE...");
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	fds = calloc(files, sizeof(*fds));
	if (!fds || posix_memalign(&block, BLOCK, BLOCK) || pipe(ready))
		err(1, "cannot begin");
	for (int i = 0; i < files; ++i) {
		fds[i] = open(argv[2 + i], O_RDWR | O_DIRECT);
		if (fds[i] < 0)
			err(1, "cannot open %s", argv[2 + i]);
	}
	for (long i = 0; i < count; ++i) {
		pid_t pid = fork();

		if (pid < 0)
			err(1, "cannot start process %ld", i);
		if (!pid)
			client(fds, files, i * NS_PER_S / count, ready[1]);
	}
	close(ready[1]);
	for (long i = 0; i < count; ++i)
		if (read(ready[0], &byte, 1) != 1)
			errx(1, "a process ended early");
	puts("ready");
	fflush(stdout);
	pause();
	return 0;
}
