// SPDX-License-Identifier: BSD-2-Clause
/* The table of commands. */
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/log.h"
#include "commands/commands.h"
#include "version.h"

const char *argp_program_version = "whystall " WHYSTALL_VERSION;

static const struct {
	const char *name;
	const char *called; /* in messages and --help */
	int (*run)(int argc, char **argv);
} commands[] = {
	{ "stat", "whystall stat", command_stat },
	{ "doctor", "whystall doctor", command_doctor },
};

/* libbpf warns about what whystall itself reports in one line: its words are for -v. */
static int print_libbpf(enum libbpf_print_level level, const char *format, va_list args)
{
	if (level == LIBBPF_DEBUG || log_get_level() < LOG_DEBUG)
		return 0;
	return vfprintf(stderr, format, args);
}

/* argp leaves by exit() after --help and --version: what it printed may not have been written. */
static void check_stdout(void)
{
	if (fflush(stdout) == 0)
		return;
	log_error("cannot write to standard output: %s", strerror(errno));
	_exit(EXIT_RUNTIME);
}

/*
 * A standard descriptor that the caller closed would be given to the next file opened, a map or the
 * report. A write to its stand-in fails as one to the closed one would.
 */
static void hold_standard_descriptors(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDONLY);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		close(fd);
}

int main(int argc, char **argv)
{
	static char whystall[] = "whystall";

	hold_standard_descriptors();
	if (atexit(check_stdout) != 0)
		return EXIT_RUNTIME;
	libbpf_set_print(print_libbpf);
	for (size_t i = 0; argc > 1 && i < sizeof(commands) / sizeof(commands[0]); i++)
		if (strcmp(argv[1], commands[i].name) == 0) {
			argv[1] = (char *)commands[i].called;
			return commands[i].run(argc - 1, argv + 1);
		}
	if (argc > 0)
		argv[0] = whystall;
	return command_explain(argc, argv);
}
