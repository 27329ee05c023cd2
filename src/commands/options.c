// SPDX-License-Identifier: BSD-2-Clause
#include "commands/options.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/units.h"
#include "collect/bpf_source.h"
#include "version.h"

enum { OPTION_BPF = 0x100, OPTION_NO_BPF, OPTION_LOOKS, OPTION_MAX_KEYS };

static const struct argp_option table[] = {
	{ NULL, 0, NULL, 0, "What to watch:", 1 },
	{ "pid", 'p', "PID[,PID...]", 0, "These processes and all their descendants", 1 },
	{ "cgroup", 'c', "CGROUP", 0,
	  "The tasks of this control group (version 2 or 1) and its sub-groups, those that join later "
	  "too",
	  1 },
	{ "name", 'n', "GLOB", 0,
	  "Processes whose name matches, at the start or when they exec later, with their descendants",
	  1 },
	{ "all", 'a', NULL, 0, "The whole host", 1 },
	{ "device", 'D', "NAME", 0,
	  "Only this disk, partition, glob of names, /dev link, or the disk below a path; may be "
	  "repeated",
	  1 },
	{ NULL, 0, NULL, 0, "How long, and in what form:", 2 },
	{ "duration", 'd', "TIME", 0,
	  "Stop after this time: 30s, 500ms, 2m; a bare number is seconds", 2 },
	{ "interval", 'i', "TIME", 0, "Time between looks at the counters (1s)", 2 },
	{ "format", 'O', "FORMAT", 0, "text, json or csv (text)", 2 },
	{ "output", 'o', "FILE", 0, "Write to FILE instead of standard output", 2 },
	{ NULL, 0, NULL, 0, "Other:", 3 },
	{ "bpf", OPTION_BPF, NULL, 0, "Use BPF or fail", 3 },
	{ "no-bpf", OPTION_NO_BPF, NULL, 0,
	  "Read /proc, which needs no root: no latencies of single requests, no files, and waits only as "
	  "far as looks show them. Without --bpf this is done by itself where BPF is not permitted",
	  3 },
	{ "looks", OPTION_LOOKS, "N", 0,
	  "Without BPF: looks at the job's threads per second (20, or fewer where they cost more than 1 % of a processor)",
	  3 },
	{ "max-keys", OPTION_MAX_KEYS, "N", 0,
	  "Room for N combinations of process, device and operation (2048; 7 KB of memory each)",
	  3 },
	{ "quiet", 'q', NULL, 0, "No progress and no warnings", 3 },
	{ "verbose", 'v', NULL, 0,
	  "More about what is done, libbpf's messages, and what the figures are made from", 3 },
	{ 0 },
};

void options_init(struct options *options)
{
	memset(options, 0, sizeof(*options));
	options->interval_ns = NS_PER_S;
	options->stuck_after_ns = 10ULL * NS_PER_S;
	options->shower = &showers[FORMAT_TEXT];
	options->max_keys = DEFAULT_MAX_KEYS;
}

void options_free(struct options *options)
{
	target_free(&options->target);
	device_choices_free(&options->devices);
}

static int parse_time(struct options *options, const char *what, const char *arg, uint64_t *ns)
{
	int err = duration_parse(arg, ns);

	if (!err)
		return 0;
	return fault_set_exit(&options->fault, EXIT_USAGE, err,
			      err == -ERANGE ? "the %s \"%s\" is out of range: 1ns to 10 years" :
					       "the %s \"%s\" is not a time: write 500ms, 1.5s, 2m",
			      what, arg);
}

static int parse_format(struct options *options, const char *arg)
{
	for (unsigned int i = 0; i < shower_count; i++)
		if (strcmp(arg, showers[i].name) == 0) {
			options->shower = &showers[i];
			return 0;
		}
	return fault_set_exit(&options->fault, EXIT_USAGE, -EINVAL,
			      "there is no format \"%s\": -O takes text, json or csv", arg);
}

static int parse_max_keys(struct options *options, const char *arg)
{
	uint64_t count;
	int err = count_parse(arg, LARGEST_MAX_KEYS, &count);

	if (err)
		return fault_set_exit(&options->fault, EXIT_USAGE, err,
				      "--max-keys takes a number from 1 to %d, not \"%s\"",
				      LARGEST_MAX_KEYS, arg);
	options->max_keys = (uint32_t)count;
	return 0;
}

static int parse_looks(struct options *options, const char *arg)
{
	uint64_t count;
	int err = count_parse(arg, MOST_LOOKS_PER_S, &count);

	if (err)
		return fault_set_exit(&options->fault, EXIT_USAGE, err,
				      "--looks takes a number from 1 to %d, not \"%s\"",
				      MOST_LOOKS_PER_S, arg);
	options->looks_per_s = (unsigned int)count;
	return 0;
}

/* The last one of the two does not win: they contradict each other. */
static int choose_source(struct options *options, enum source_choice choice)
{
	if (options->source != SOURCE_CHOICE_BEST && options->source != choice)
		return fault_set_exit(&options->fault, EXIT_USAGE, -EINVAL,
				      "choose either --bpf or --no-bpf");
	options->source = choice;
	return 0;
}

/* argp knows positive errors only. */
static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct options *options = state->input;
	struct fault *fault = &options->fault;
	int err = 0;

	switch (key) {
	case 'p':
		err = target_add_pids(&options->target, arg, fault);
		break;
	case 'c':
		err = target_set_cgroup(&options->target, arg, fault);
		break;
	case 'n':
		err = target_set_glob(&options->target, arg, fault);
		break;
	case 'a':
		options->target.all = true;
		break;
	case 'D':
		err = device_choose(&options->devices, arg, fault);
		break;
	case 'd':
		err = parse_time(options, "duration", arg, &options->duration_ns);
		break;
	case 'i':
		err = parse_time(options, "interval", arg, &options->interval_ns);
		break;
	case 'O':
		err = parse_format(options, arg);
		break;
	case 'o':
		options->output = arg;
		break;
	case OPTION_BPF:
		err = choose_source(options, SOURCE_CHOICE_BPF);
		break;
	case OPTION_NO_BPF:
		err = choose_source(options, SOURCE_CHOICE_PROC);
		break;
	case OPTION_LOOKS:
		err = parse_looks(options, arg);
		break;
	case OPTION_MAX_KEYS:
		err = parse_max_keys(options, arg);
		break;
	case 'q':
		options->quiet = true;
		log_set_level(LOG_ERROR);
		break;
	case 'v':
		options->verbose = true;
		log_set_level(LOG_DEBUG);
		break;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	return -err;
}

const struct argp options_argp = { .options = table, .parser = parse };

bool options_parse(const struct argp *argp, int argc, char **argv, struct options *options,
		   int *exit_code)
{
	if (argp_parse(argp, argc, argv, ARGP_IN_ORDER, NULL, options) == 0)
		return true;
	log_error("%s", options->fault.text[0] ? options->fault.text : "bad arguments");
	*exit_code = options->fault.exit_code ? options->fault.exit_code : EXIT_USAGE;
	return false;
}

void options_take_program(struct options *options, struct argp_state *state)
{
	options->program = &state->argv[state->next - 1];
	state->next = state->argc;
}
