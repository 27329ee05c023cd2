// SPDX-License-Identifier: BSD-2-Clause
/* syscalls PID MILLISECONDS: how many system calls that process makes meanwhile. It goes on afterwards. */
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/time.h>
#include <sys/wait.h>

static volatile sig_atomic_t over;

static void end(int signal)
{
	(void)signal;
	over = 1;
}

int main(int argc, char **argv)
{
	const struct sigaction action = { .sa_handler = end };
	pid_t pid = argc > 2 ? (pid_t)atoi(argv[1]) : 0;
	long ms = argc > 2 ? atol(argv[2]) : 0;
	struct itimerval timer = { .it_value = { ms / 1000, ms % 1000 * 1000 } };
	unsigned long stops = 0;
	int status;

	if (pid <= 0 || ms <= 0 || ptrace(PTRACE_SEIZE, pid, NULL, (void *)PTRACE_O_TRACESYSGOOD) ||
	    ptrace(PTRACE_INTERRUPT, pid, NULL, NULL) || sigaction(SIGALRM, &action, NULL) ||
	    setitimer(ITIMER_REAL, &timer, NULL)) {
		perror("syscalls");
		return 1;
	}
	while (!over && waitpid(pid, &status, 0) == pid && WIFSTOPPED(status)) {
		int signal = WSTOPSIG(status);

		stops += signal == (SIGTRAP | 0x80);
		if (signal == (SIGTRAP | 0x80) || signal == SIGTRAP)
			signal = 0;
		ptrace(PTRACE_SYSCALL, pid, NULL, (void *)(long)signal);
	}
	/* Each stops at its begin and at its end. The end of this process lets it go. */
	printf("%lu\n", stops / 2);
	return over ? 0 : 1;
}
