// SPDX-License-Identifier: BSD-2-Clause
/*
 * Forks while a tracer attaches. Every forked reader reads one 4 KiB block of FILE with O_DIRECT and
 * appends "PID START_NS" (CLOCK_MONOTONIC, taken before the read) to LOG: the ground truth.
 *
 *   fork_storm hold  FILE LOG MAX   fork readers without pause; all stay and read after a line on stdin
 *   fork_storm churn FILE LOG MAX   parent, child, grandchild without pause until a line on stdin
 *   fork_storm chain FILE LOG MAX   after a line on stdin: each reader forks the next and exits at once
 */
#define _GNU_SOURCE
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { BLOCK = 4096, LATE_FORKS = 50, PAUSE_US = 300 };

static int data_fd;
static int log_fd;

static void block_read(long index)
{
	static char block[BLOCK] __attribute__((aligned(BLOCK)));
	struct timespec now;
	char line[64];
	int length;

	clock_gettime(CLOCK_MONOTONIC, &now);
	if (pread(data_fd, block, BLOCK, (off_t)index * BLOCK) != BLOCK)
		err(1, "read");
	length = snprintf(line, sizeof(line), "%d %lld\n", getpid(),
			  (long long)now.tv_sec * 1000000000 + now.tv_nsec);
	if (write(log_fd, line, (size_t)length) != length)
		err(1, "log");
}

static bool stop_asked(int timeout_ms)
{
	struct pollfd in = { .fd = STDIN_FILENO, .events = POLLIN };

	return poll(&in, 1, timeout_ms) > 0;
}

static pid_t fork_checked(void)
{
	pid_t pid = fork();

	if (pid < 0)
		err(1, "fork");
	return pid;
}

static void children_wait(void)
{
	while (wait(NULL) > 0 || errno == EINTR)
		;
}

static void hold_run(long max)
{
	long late = 0;
	int gate[2];

	if (pipe(gate))
		err(1, "pipe");
	for (long i = 0; i < max && late < LATE_FORKS; i++) {
		late += stop_asked(0);
		if (fork_checked() == 0) {
			char c;

			close(gate[1]);
			if (read(gate[0], &c, 1) != 0)
				_exit(1);
			block_read(i);
			_exit(0);
		}
		usleep(PAUSE_US);
	}
	stop_asked(-1);
	close(gate[1]);
	children_wait();
}

static void churn_run(long max)
{
	for (long i = 0; i < max && !stop_asked(0); i++) {
		if (fork_checked() == 0) {
			if (fork_checked() == 0) {
				block_read(i);
				_exit(0);
			}
			children_wait();
			_exit(0);
		}
		children_wait();
	}
}

/* The root stays: it sees the end of the pipe when the last generation has closed it. */
static void chain_run(long max)
{
	int alive[2];
	char c;

	if (pipe(alive))
		err(1, "pipe");
	stop_asked(-1);
	if (fork_checked() == 0) {
		close(alive[0]);
		for (long i = 0; i < max; i++) {
			block_read(i);
			if (i + 1 < max && fork_checked() > 0)
				_exit(0);
		}
		_exit(0);
	}
	close(alive[1]);
	if (read(alive[0], &c, 1) != 0)
		errx(1, "the chain wrote to its pipe");
	children_wait();
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*run)(long max);
	} modes[] = {
		{ "hold", hold_run },
		{ "churn", churn_run },
		{ "chain", chain_run },
	};

	if (argc != 5)
		errx(64, "usage: fork_storm hold|churn|chain FILE LOG MAX");
	data_fd = open(argv[2], O_RDONLY | O_DIRECT);
	log_fd = open(argv[3], O_WRONLY | O_CREAT | O_APPEND, 0644);
	if (data_fd < 0 || log_fd < 0)
		err(1, "%s, %s", argv[2], argv[3]);
	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		if (strcmp(argv[1], modes[i].name))
			continue;
		printf("ready %d\n", getpid());
		fflush(stdout);
		modes[i].run(strtol(argv[4], NULL, 10));
		printf("done %d\n", getpid());
		return 0;
	}
	errx(64, "%s: no such mode", argv[1]);
}
