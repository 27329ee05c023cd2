/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What went wrong, for a person. A function that can fail for reasons worth telling takes a `struct
 * fault *`, fills it, and returns the negative errno; only commands print it.
 */
#ifndef WHYSTALL_BASE_FAULT_H
#define WHYSTALL_BASE_FAULT_H

struct fault {
	int exit_code; /* one of enum exit_code, 0 for EXIT_RUNTIME */
	char text[512];
};

enum exit_code {
	EXIT_RUNTIME = 1,
	EXIT_USAGE = 64,
	EXIT_NOT_SUPPORTED = 77, /* not permitted, or not on this kernel */
	EXIT_NOT_EXECUTABLE = 126,
	EXIT_NOT_FOUND = 127,
	EXIT_SIGNAL_BASE = 128,
};

/* Fill `fault` and return `err` (a negative errno), so that `return fault_set(...)` reads well. */
int fault_set(struct fault *fault, int err, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* The same with an exit code other than EXIT_RUNTIME. */
int fault_set_exit(struct fault *fault, enum exit_code code, int err, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

#endif
