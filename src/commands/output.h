/* SPDX-License-Identifier: BSD-2-Clause */
/* Where data goes: standard output or a file, with every write error seen and named. */
#ifndef WHYSTALL_COMMANDS_OUTPUT_H
#define WHYSTALL_COMMANDS_OUTPUT_H

#include <stdbool.h>
#include <stdio.h>

#include "base/fault.h"

struct output {
	FILE *stream; /* to print to; kept in memory until output_flush() */
	char *data;
	size_t size;
	int fd;
	bool written;
	const char *name; /* for messages */
};

/*
 * Open `path`, or standard output if it is NULL. A file is created, but what it held is only replaced
 * when something is written, so that a run that fails early loses nothing.
 */
int output_open(struct output *output, const char *path, struct fault *fault);

/* Write what was printed since the last time. Returns 0 or a negative errno with `fault` set. */
int output_flush(struct output *output, struct fault *fault);

/* Close without writing; after a flush nothing is lost. */
void output_close(struct output *output);

/* Lines of the terminal that the output goes to, 0 if it is none. */
unsigned int output_terminal_lines(const struct output *output);

#endif
