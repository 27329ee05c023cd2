/* SPDX-License-Identifier: BSD-2-Clause */
/* Options that all commands share, as one argp child. */
#ifndef WHYSTALL_COMMANDS_OPTIONS_H
#define WHYSTALL_COMMANDS_OPTIONS_H

#include <argp.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/fault.h"
#include "collect/device.h"
#include "collect/source.h"
#include "collect/target.h"
#include "show/show.h"

struct options {
	struct target target;
	struct device_choices devices;
	uint64_t duration_ns; /* 0: no limit */
	uint64_t interval_ns;
	const struct shower *shower;
	const char *output; /* NULL: standard output */
	uint32_t max_keys;
	enum source_choice source;
	unsigned int looks_per_s; /* of /proc */
	bool for_judge;           /* read what a verdict needs: see bpf_source_options */
	pid_t trainer;            /* --trainer; 0: found by itself */
	uint64_t stuck_after_ns;
	bool threads; /* --threads */
	bool verbose;
	bool quiet;
	char **program; /* NULL-terminated; NULL if there is none */
	struct fault fault;
};

void options_init(struct options *options);
void options_free(struct options *options);

/* For the `children` of a command's argp; its input is the struct options. */
extern const struct argp options_argp;

/*
 * Parse. Prints what is wrong and returns false with `exit_code` set; --help and --version leave by
 * exit(0), as argp has it.
 */
bool options_parse(const struct argp *argp, int argc, char **argv, struct options *options,
		   int *exit_code);

/* To be called by a command's parser for an argument behind "--": the program and all that follows. */
void options_take_program(struct options *options, struct argp_state *state);

#endif
