/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Starting PROGRAM as the user who called sudo, held before exec until everything is attached.
 */
#ifndef WHYSTALL_COMMANDS_LAUNCH_H
#define WHYSTALL_COMMANDS_LAUNCH_H

#include <signal.h>
#include <stdbool.h>
#include <sys/types.h>

#include "base/fault.h"

struct program {
	pid_t pid; /* 0: none */
	int go_fd; /* closed or written to: exec; -1 afterwards */
	int report_fd;
	bool ended;
	int wait_status; /* of waitpid(2), once ended */
};

/*
 * Fork; the child waits. It will run with SUDO_UID, SUDO_GID and that user's groups if those are set and
 * whystall is root, and with `signals` as its mask. If whystall ends first, the child does too.
 */
int program_start(struct program *program, char **argv, const sigset_t *signals,
		  struct fault *fault);

/*
 * Let it exec. Returns 0, or a negative errno with `fault` set to exit code 127 (not found), 126 (not
 * executable) or 1; the child is gone then.
 */
int program_release(struct program *program, char **argv, struct fault *fault);

/* Has it ended, or has program_reap() collected it? Its counters in /proc stay until then. */
bool program_is_over(const struct program *program);

/* Collect it if it has ended. */
void program_reap(struct program *program, bool block);

/* Its exit status as a shell reports it: 128 + N for a signal. */
int program_exit_code(const struct program *program);

/* Give up on one that was not released; does nothing otherwise. */
void program_discard(struct program *program);

#endif
