/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One run of tracing: from options to attached programs, through intervals, to the end by time, signal,
 * or the end of what is watched. Shared by the commands that trace.
 */
#ifndef WHYSTALL_COMMANDS_SESSION_H
#define WHYSTALL_COMMANDS_SESSION_H

#include <poll.h>
#include <signal.h>
#include <stdbool.h>

#include "collect/source.h"
#include "commands/launch.h"
#include "commands/options.h"
#include "commands/output.h"

struct session {
	const struct options *options;
	struct output output;
	struct program program;
	struct target program_target; /* that PROGRAM is */
	struct source *source;
	sigset_t signals_before;
	int signal_fd;
	int tick_fd;     /* each interval */
	int deadline_fd; /* -1: no -d */
	int *target_fds; /* pidfds of the processes of -p; -1 where one has ended */
	size_t target_count;
	struct pollfd *watched; /* room for all that session_wait() watches */
	bool blind;             /* this kernel has no descriptors of processes: ask instead */
	uint64_t opened_ns;     /* CLOCK_MONOTONIC */
};

/* What session_wait() returned for. */
enum session_event { SESSION_TICK, SESSION_END };

/*
 * Open the output, start PROGRAM held back, load and attach, release PROGRAM. Returns 0 or a negative
 * errno with `fault` set; call session_close() in either case.
 */
int session_open(struct session *session, const struct options *options, struct fault *fault);

/* Start counting intervals; to be called right after the first sample. */
int session_start(struct session *session, struct fault *fault);

/* Wait for the next interval or the end. Returns an enum session_event or a negative errno. */
int session_wait(struct session *session, struct fault *fault);

/*
 * Wait for PROGRAM if it was released and still runs, also after a failure. Returns its exit code, or 0.
 */
int session_finish(struct session *session);

void session_close(struct session *session);

#endif
