// SPDX-License-Identifier: BSD-2-Clause
/* One row per interval. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/units.h"
#include "commands/commands.h"
#include "commands/follow.h"
#include "commands/session.h"
#include "model/rates.h"
#include "show/metrics.h"

static const char doc[] =
	"Print one row of block I/O rates, device latencies and, of a job, what its threads do, per interval.\v"
	"INTERVAL is a time (1s), COUNT the number of rows (until Ctrl-C). Without a selection the "
	"whole host counts. Without -D there is one row, \"total\"; -D all prints one for each device, -D "
	"NAME one for each that was named. Latencies are from D (issue to the driver) to C (completion); "
	"util is the device's, everybody's, and for \"total\" that of the busiest disk. Of a job, on_cpu "
	"to in_other are how many of its threads ran, or waited for what, on average. Without BPF there "
	"are means in place of percentiles, for the whole host alone, and of a job no requests and no "
	"devices.\n"
	"\n"
	"Examples:\n"
	"  sudo whystall stat                     the host, each second\n"
	"  sudo whystall stat -p 4711 5 12        a job, a minute in rows of 5 s\n"
	"  sudo whystall stat -D all -O csv 1 >io.csv";

/* What to remember from one interval to the next. */
struct stat_state {
	struct sample samples[2];
	struct totals totals[2];
	unsigned int now;         /* which of the two is the newer one */
	struct occupancy threads; /* between them */
	struct follow follow;
	struct verdict waiting; /* between them, of the trainer that waited longest */
	bool has_waiting;
	unsigned long row;
};

struct stat_options {
	struct options common;
	uint64_t count; /* 0: no limit */
	unsigned int arguments;
};

static int parse_argument(struct stat_options *stat, const char *arg)
{
	struct options *options = &stat->common;
	int err;

	switch (stat->arguments++) {
	case 0:
		err = duration_parse(arg, &options->interval_ns);
		if (err)
			return fault_set_exit(
				&options->fault, EXIT_USAGE, err,
				"the interval \"%s\" is not a time above zero: write 1, "
				"500ms, 2m",
				arg);
		return 0;
	case 1:
		err = count_parse(arg, UINT64_MAX, &stat->count);
		if (err)
			return fault_set_exit(&options->fault, EXIT_USAGE, err,
					      "the count \"%s\" is not a number above zero", arg);
		return 0;
	default:
		return fault_set_exit(&options->fault, EXIT_USAGE, -EINVAL,
				      "one argument too many: \"%s\"", arg);
	}
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	/* The common options come first in the struct: both parsers share one input. */
	struct stat_options *stat = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &stat->common;
		return 0;
	case ARGP_KEY_ARG:
		if (state->quoted) {
			options_take_program(&stat->common, state);
			return 0;
		}
		return -parse_argument(stat, arg);
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static int print_row(struct session *session, struct stat_state *state, uint32_t device,
		     struct fault *fault)
{
	unsigned int lines = output_terminal_lines(&session->output);
	struct show_context context = { .rows_per_header = lines > 3 ? lines - 3 : 20,
					.scratch = &state->follow.scratch,
					.waiting = state->has_waiting ? &state->waiting : NULL };
	unsigned int now = state->now, before = !now;
	struct rates rates;
	int err;

	err = rates_build(&rates, &state->follow.scratch, device, &state->samples[before],
			  &state->totals[before], &state->samples[now], &state->totals[now]);
	if (err)
		return fault_set(fault, err, "out of memory");
	rates.threads = state->threads;
	err = session->options->shower->rates(session->output.stream, &rates, state->row++,
					      &context);
	return err ? fault_set(fault, err, "cannot print a row: %s", strerror(-err)) : 0;
}

/* -D all: each whole disk that has done any I/O since the host started. */
static int print_each(struct session *session, struct stat_state *state, struct fault *fault)
{
	const struct sample *sample = &state->samples[state->now];
	int err = 0;

	for (size_t i = 0; !err && i < sample->disk_count; i++) {
		const struct disk_sample *disk = &sample->disks[i];

		if (!disk->partition && disk->reads + disk->writes + disk->discards)
			err = print_row(session, state, disk->device, fault);
	}
	return err;
}

/* The trainer that waited longest in this interval. */
static int judge_row(struct session *session, struct stat_state *state)
{
	const struct sample *from = &state->samples[!state->now], *to = &state->samples[state->now];
	struct follow *follow = &state->follow;
	int err, found;

	state->has_waiting = false;
	scratch_reset(&follow->scratch);
	if (!to->has_ledger || !from->has_ledger)
		return 0;
	err = follow_tick(follow, session->source, from, to);
	if (err)
		return err;
	found = judge_longest(&state->waiting, &follow->scratch, &follow->seen, &follow->roles,
			      &follow->last, 0, cpus_allowed());
	state->has_waiting = found > 0;
	return found < 0 ? found : 0;
}

static int print_rows(struct session *session, struct stat_state *state, struct fault *fault)
{
	const struct device_choices *choices = &session->options->devices;
	int err = judge_row(session, state);

	if (!err)
		err = occupancy_build(&state->threads, &state->follow.scratch,
				      &state->samples[!state->now], &state->samples[state->now]);
	if (err)
		return fault_set(fault, err, "out of memory");
	if (choices->each)
		err = print_each(session, state, fault);
	else if (!choices->count)
		err = print_row(session, state, 0, fault);
	for (size_t i = 0; !err && !choices->each && i < choices->count; i++)
		err = print_row(session, state, choices->list[i].range.shown, fault);
	return err ? err : output_flush(&session->output, fault);
}

static int take_sample(struct session *session, struct stat_state *state, bool everybody,
		       struct fault *fault)
{
	int err;

	state->now = !state->now;
	err = source_read(session->source, &state->samples[state->now], fault);
	if (err)
		return err;
	err = totals_build(&state->totals[state->now], &state->samples[state->now], everybody);
	return err ? fault_set(fault, err, "out of memory") : 0;
}

/* Loss is not part of a row: it comes on stderr at the end. */
static void warn_of_loss(const struct sample *sample)
{
	struct loss_figure figures[LOSS_FIGURES];
	int count = loss_figures(sample->source, &sample->loss, figures);

	for (int i = 0; i < count; i++)
		if (figures[i].count)
			log_warning("loss: %" PRIu64 " %s (%s)", figures[i].count,
				    metrics[figures[i].metric].heading,
				    metrics[figures[i].metric].help);
}

/* An interval without I/O that ended right behind a row says nothing; any I/O must be shown. */
static bool is_worth_a_row(const struct session *session, const struct stat_state *state)
{
	uint64_t ns = state->samples[state->now].mono_ns - state->samples[!state->now].mono_ns;

	return state->row == 0 || ns > session->options->interval_ns / 100 ||
	       totals_differ(&state->totals[!state->now], &state->totals[state->now]);
}

static void warn_of_unknown_bytes(const struct session *session, const struct sample *sample,
				  bool everybody)
{
	const struct device_choices *choices = &session->options->devices;

	if (sample->source == SOURCE_PROC && !everybody && (choices->each || choices->count))
		log_warning("without BPF the job's bytes are known for all devices together alone: "
			    "with -D these columns are empty");
}

static int run(struct session *session, struct stat_state *state, uint64_t count, bool everybody,
	       struct fault *fault)
{
	uint64_t rows = 0;
	int err = take_sample(session, state, everybody, fault);

	if (!err)
		warn_of_unknown_bytes(session, &state->samples[state->now], everybody);
	if (!err)
		err = session_start(session, fault);
	while (!err) {
		int event = session_wait(session, fault);

		if (event < 0)
			return event;
		/* The last, shorter interval of a job that has ended, or of -d, is a row too. */
		if (event == SESSION_END)
			source_settle(session->source);
		err = take_sample(session, state, everybody, fault);
		if (!err && (event == SESSION_TICK || is_worth_a_row(session, state)))
			err = print_rows(session, state, fault);
		if (!err)
			err = source_tidy(session->source, fault);
		if (event == SESSION_END || ++rows == count)
			break;
	}
	if (!err)
		warn_of_loss(&state->samples[state->now]);
	return err;
}

int command_stat(int argc, char **argv)
{
	static const struct argp_child children[] = { { .argp = &options_argp }, { 0 } };
	static const struct argp argp = {
		.parser = parse,
		.args_doc = "[INTERVAL [COUNT]]\n[INTERVAL [COUNT]] -- PROGRAM "
			    "[ARG...]",
		.doc = doc,
		.children = children
	};
	struct stat_state state = { .now = 0 };
	struct stat_options stat = { .count = 0 };
	struct options *options = &stat.common;
	struct session session;
	struct fault fault;
	int exit_code, err = 0;

	options_init(options);
	if (!options_parse(&argp, argc, argv, options, &exit_code)) {
		options_free(options);
		return exit_code;
	}
	if (options->program && target_is_set(&options->target)) {
		err = fault_set_exit(&fault, EXIT_USAGE, -EINVAL,
				     "choose either a program to start or -p, -c, -n, -a");
	} else {
		if (!options->program && !target_is_set(&options->target))
			options->target.all = true;
		options->for_judge = !options->target.all;
		err = session_open(&session, options, &fault);
		if (!err)
			err = run(&session, &state, stat.count, options->target.all, &fault);
		exit_code = session_finish(&session);
		session_close(&session);
	}
	if (err) {
		log_error("%s", fault.text);
		exit_code = fault.exit_code;
	}
	follow_free(&state.follow);
	for (int i = 0; i < 2; i++) {
		sample_free(&state.samples[i]);
		totals_free(&state.totals[i]);
	}
	options_free(options);
	return exit_code;
}
