// SPDX-License-Identifier: BSD-2-Clause
/* The main job: trace, then one report. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/units.h"
#include "commands/commands.h"
#include "commands/datasets.h"
#include "commands/follow.h"
#include "commands/servers.h"
#include "commands/session.h"
#include "commands/stuck_watch.h"
#include "judge/judge.h"
#include "model/loop.h"
#include "model/report.h"

static const char doc[] =
	"Explain what a training job waits for: who did which block I/O and how long it took, and where the "
	"time of the job's threads went.\v"
	"Other commands: whystall stat (one row per interval), whystall doctor (what works on this "
	"host). Each has its own --help.\n"
	"\n"
	"Without a selection, the processes that hold a GPU are watched. The report comes once, at the "
	"end: of PROGRAM, of the processes of -p and all their descendants, after -d, or by Ctrl-C. "
	"With PROGRAM the exit status is the program's own, and it runs as the user who called sudo.\n"
	"\n"
	"Examples:\n"
	"  sudo whystall -p 4711                  until process 4711 ends, or Ctrl-C\n"
	"  sudo whystall -p 4711 -d 30s -O json -o report.json\n"
	"  sudo whystall -- python3 train.py      start and watch a program\n"
	"  sudo whystall -n 'python*' -D nvme0n1  by name, one disk only\n"
	"  sudo whystall -c /sys/fs/cgroup/job    a control group\n"
	"  sudo whystall -a -d 10s                the whole host\n"
	"\n"
	"Exit status: 0, or PROGRAM's own (128+N for signal N); 1 for a failure, 64 for wrong usage, "
	"77 when not permitted or not supported here, 126 or 127 when PROGRAM cannot be run or found.";

enum { OPTION_THREADS = 0x200, OPTION_TRAINER, OPTION_STUCK_AFTER };

static const struct argp_option table[] = {
	{ "trainer", OPTION_TRAINER, "PID", 0,
	  "This process is the trainer, whatever it looks like, and there is no other", 2 },
	{ "stuck-after", OPTION_STUCK_AFTER, "TIME", 0,
	  "Find out what a job hangs on when nothing has happened in it for so long (10s)", 2 },
	{ "threads", OPTION_THREADS, NULL, 0, "A row for each thread too: where its time went", 2 },
	{ 0 },
};

static int parse_trainer(struct options *options, const char *arg)
{
	uint64_t pid;
	int err = count_parse(arg, INT32_MAX, &pid);

	if (err)
		return fault_set_exit(&options->fault, EXIT_USAGE, err,
				      "--trainer takes a process ID, not \"%s\"", arg);
	options->trainer = (pid_t)pid;
	return 0;
}

static int parse_stuck_after(struct options *options, const char *arg)
{
	int err = duration_parse(arg, &options->stuck_after_ns);

	if (err)
		return fault_set_exit(&options->fault, EXIT_USAGE, err,
				      "--stuck-after takes a time such as 10s or 2m, not \"%s\"",
				      arg);
	return 0;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct options *options = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = options;
		return 0;
	case OPTION_TRAINER:
		return -parse_trainer(options, arg);
	case OPTION_STUCK_AFTER:
		return -parse_stuck_after(options, arg);
	case OPTION_THREADS:
		options->threads = true;
		return 0;
	case ARGP_KEY_ARG:
		if (state->quoted) {
			options_take_program(options, state);
			return 0;
		}
		return -fault_set_exit(
			&options->fault, EXIT_USAGE, -EINVAL,
			"\"%s\": a command (stat, doctor) comes first, a program to start comes after --",
			arg);
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/* Exactly one of PROGRAM and a selection, or the GPU's holders. */
static int choose_target(struct options *options, struct fault *fault)
{
	int found;

	if (options->threads && options->target.all)
		return fault_set_exit(fault, EXIT_USAGE, -EINVAL,
				      "--threads needs a job: with -a threads have no rows");
	if (options->trainer && options->target.all)
		return fault_set_exit(fault, EXIT_USAGE, -EINVAL,
				      "--trainer needs a job: with -a nobody's waits are followed");
	if (options->threads && !options->shower->has_threads)
		return fault_set_exit(
			fault, EXIT_USAGE, -EINVAL,
			"there are no rows of threads in %s: --threads takes -O text or json",
			options->shower->name);
	if (options->program && target_is_set(&options->target))
		return fault_set_exit(fault, EXIT_USAGE, -EINVAL,
				      "choose either a program to start or -p, -c, -n, -a");
	if (options->program || target_is_set(&options->target))
		return 0;
	found = target_add_gpu_holders(&options->target, fault);
	if (found < 0)
		return found;
	if (!found)
		return fault_set_exit(
			fault, EXIT_USAGE, -EINVAL,
			"no process holds a GPU: choose with -p PID, -c CGROUP, -n GLOB, "
			"-a, or -- PROGRAM");
	log_info("watching %d process%s that hold%s a GPU", found, found == 1 ? "" : "es",
		 found == 1 ? "s" : "");
	return 0;
}

/* On a terminal, how far the run is; erased by the next message. */
static void show_progress(const struct options *options, uint64_t ticks)
{
	if (!options->quiet && isatty(STDERR_FILENO))
		fprintf(stderr, "\r%.0f s ", (double)(ticks * options->interval_ns) / NS_PER_S);
}

/* All that is read in a run. */
struct reading {
	struct sample from, to;    /* of everything, at its ends */
	struct sample ticks[2];    /* of threads, at intervals: the last two */
	size_t tick;               /* how many so far */
	const struct sample *last; /* of threads: `from`, then one of `ticks` */
	struct follow follow;
	struct servers servers;
	struct stretches stretches;
	struct stuck_watch stuck;
};

static int print_report(struct session *session, struct reading *reading, struct fault *fault)
{
	const struct options *options = session->options;
	struct show_context context = { .source = source_name(session->source),
					.threads = options->threads,
					.debug = options->verbose,
					.interval_s = (double)options->interval_ns / NS_PER_S };
	struct datasets datasets = { 0 };
	struct verdicts verdicts = { 0 };
	struct report report;
	int err = report_build(&report, &reading->from, &reading->to, options->target.all,
			       &options->devices);

	if (!err) {
		report.limits = reading->follow.limits;
		report.limits_count = reading->follow.limits_count;
		report.started = options->program != NULL;
		report.peers = reading->servers.peers;
		report.peer_count = reading->servers.peer_count;
		err = judge_all(&verdicts, reading->stretches.list, reading->stretches.count,
				options->trainer, cpus_allowed());
		if (!err)
			err = stuck_watch_end(&reading->stuck, reading->last, &verdicts);
		context.verdicts = &verdicts;
		if (!err && options->trainer && !verdicts.count && reading->stretches.count)
			log_warning("process %d of --trainer was not seen in the job",
				    (int)options->trainer);
		if (!err)
			err = datasets_count(&datasets, &verdicts, &report);
		if (!err)
			err = options->shower->report(session->output.stream, &report, &context);
		verdicts_free(&verdicts);
		report_free(&report);
	}
	if (err)
		return fault_set(fault, err, "cannot build the report: %s", strerror(-err));
	return output_flush(&session->output, fault);
}

static void reading_free(struct reading *reading)
{
	sample_free(&reading->from);
	sample_free(&reading->to);
	sample_free(&reading->ticks[0]);
	sample_free(&reading->ticks[1]);
	stretches_free(&reading->stretches);
	follow_free(&reading->follow);
	servers_free(&reading->servers);
	stuck_watch_free(&reading->stuck);
}

/* The time since the last interval, at its end or at that of the run. */
static int read_stretch(struct session *session, struct reading *reading, struct fault *fault)
{
	struct sample *next = &reading->ticks[reading->tick++ % 2];
	int err;

	if (!reading->from.has_ledger)
		return 0;
	err = source_read_threads(session->source, next, fault);
	if (err)
		return err;
	err = follow_tick(&reading->follow, session->source, reading->last, next);
	if (!err)
		err = servers_tick(&reading->servers, &reading->follow, session->source, next);
	if (!err)
		err = stretches_add(&reading->stretches, &reading->follow.last);
	if (!err)
		err = stuck_watch_tick(&reading->stuck, reading->last, next, &reading->follow.last);
	reading->last = next;
	return err ? fault_set(fault, err, "out of memory") : 0;
}

static int run(struct session *session, struct reading *reading, struct fault *fault)
{
	uint64_t ticks = 0;
	int err = source_tidy(session->source, fault);

	if (!err)
		err = source_read(session->source, &reading->from, fault);
	if (!err) {
		source_read_pressure(session->source, &reading->from);
		err = source_read_files(session->source, &reading->from, false, fault);
	}
	reading->last = &reading->from;
	reading->follow.trainer = session->options->trainer;
	reading->stuck.trainer = session->options->trainer;
	reading->stuck.after_ns = session->options->stuck_after_ns;
	if (!err)
		err = session_start(session, fault);
	while (!err) {
		int event = session_wait(session, fault);

		if (event < 0)
			return event;
		err = read_stretch(session, reading, fault);
		if (!err)
			err = source_tidy(session->source, fault);
		if (event == SESSION_END)
			break;
		show_progress(session->options, ++ticks);
	}
	if (ticks && !session->options->quiet && isatty(STDERR_FILENO))
		fprintf(stderr, "\r\033[K");
	source_settle(session->source);
	if (!err)
		err = source_read(session->source, &reading->to, fault);
	if (!err) {
		source_read_pressure(session->source, &reading->to);
		err = source_read_files(session->source, &reading->to, true, fault);
	}
	if (err)
		return err;
	if (source_kind(session->source) == SOURCE_BPF)
		log_debug("%llu requests found their place in the table taken",
			  (unsigned long long)source_spilled(session->source));
	return print_report(session, reading, fault);
}

int command_explain(int argc, char **argv)
{
	static const struct argp_child children[] = { { .argp = &options_argp }, { 0 } };
	static const struct argp argp = { .options = table,
					  .parser = parse,
					  .args_doc = "\n-- PROGRAM [ARG...]",
					  .doc = doc,
					  .children = children };
	struct reading reading = { 0 };
	struct session session;
	struct options options;
	struct fault fault;
	int exit_code, err;

	options_init(&options);
	if (!options_parse(&argp, argc, argv, &options, &exit_code)) {
		options_free(&options);
		return exit_code;
	}
	options.for_judge = true;
	err = choose_target(&options, &fault);
	if (!err) {
		err = session_open(&session, &options, &fault);
		if (!err)
			err = run(&session, &reading, &fault);
		exit_code = session_finish(&session);
		session_close(&session);
	}
	if (err) {
		log_error("%s", fault.text);
		exit_code = fault.exit_code;
	}
	reading_free(&reading);
	options_free(&options);
	return exit_code;
}
