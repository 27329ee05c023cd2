// SPDX-License-Identifier: BSD-2-Clause
/*
 * System calls of another process, a line of JSON for each of its intervals: from one wait without a timeout to the next.
 *
 *   calls PID INTERVALS
 *
 * {"all": 7, "bpf": 1, "openat": 2}
 */
#define _GNU_SOURCE
#include <err.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>

struct counts {
	unsigned int all, bpf, openat;
};

/* Its call of poll(2) without a timeout, where it sleeps until the next interval. */
static bool is_long_wait(const struct __ptrace_syscall_info *info)
{
#ifdef SYS_poll
	if (info->entry.nr == SYS_poll)
		return (int)info->entry.args[2] == -1;
#endif
	return info->entry.nr == SYS_ppoll && !info->entry.args[2];
}

static void count(struct counts *counts, const struct __ptrace_syscall_info *info)
{
	counts->all++;
	counts->bpf += info->entry.nr == SYS_bpf;
	counts->openat += info->entry.nr == SYS_openat;
}

/* Until it enters its next call; a signal on its way is passed on. */
static struct __ptrace_syscall_info next_call(pid_t pid)
{
	struct __ptrace_syscall_info info;
	long signal = 0;
	int status;

	for (;;) {
		if (ptrace(PTRACE_SYSCALL, pid, NULL, signal) ||
		    waitpid(pid, &status, __WALL) != pid)
			err(1, "cannot follow process %d", pid);
		if (!WIFSTOPPED(status))
			errx(1, "process %d has ended", pid);
		signal = 0;
		if (WSTOPSIG(status) == (SIGTRAP | 0x80)) {
			if (ptrace(PTRACE_GET_SYSCALL_INFO, pid, sizeof(info), &info) < 0)
				err(1, "cannot tell system calls");
			if (info.op == PTRACE_SYSCALL_INFO_ENTRY)
				return info;
		} else if (status >> 16 == 0) {
			signal = WSTOPSIG(status);
		}
	}
}

int main(int argc, char **argv)
{
	pid_t pid = argc == 3 ? atoi(argv[1]) : 0;
	int intervals = argc == 3 ? atoi(argv[2]) : 0, status;

	if (pid < 1 || intervals < 1)
		errx(64, "usage: calls PID INTERVALS");
	if (ptrace(PTRACE_SEIZE, pid, NULL, PTRACE_O_TRACESYSGOOD) ||
	    ptrace(PTRACE_INTERRUPT, pid, NULL, NULL) || waitpid(pid, &status, __WALL) != pid)
		err(1, "cannot follow process %d", pid);
	for (int i = -1; i < intervals; i++) {
		struct counts counts = { 0 };
		struct __ptrace_syscall_info info;

		do {
			info = next_call(pid);
			count(&counts, &info);
		} while (!is_long_wait(&info));
		/* What comes before the first wait is no whole interval. */
		if (i < 0)
			continue;
		printf("{\"all\": %u, \"bpf\": %u, \"openat\": %u}\n", counts.all, counts.bpf,
		       counts.openat);
		fflush(stdout);
	}
	return 0;
}
