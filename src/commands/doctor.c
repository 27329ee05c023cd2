// SPDX-License-Identifier: BSD-2-Clause
/* What works on this host, what does not, and the remedy. */
#include <argp.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/log.h"
#include "collect/bpf_source.h"
#include "collect/features.h"
#include "collect/procfs.h"
#include "commands/commands.h"
#include "commands/doctor_proc.h"
#include "commands/output.h"
#include "show/doctor.h"

static const char doc[] =
	"Tell what works on this host, what does not, and the remedy.\v"
	"Exit status: 0 when the main job would work, with BPF or without, 77 when "
	"it would not.";

struct doctor_options {
	bool json;
	struct fault fault;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct doctor_options *options = state->input;

	switch (key) {
	case 'O':
		options->json = strcmp(arg, "json") == 0;
		if (!options->json && strcmp(arg, "text") != 0)
			return -fault_set_exit(&options->fault, EXIT_USAGE, -EINVAL,
					       "doctor prints text or json, not \"%s\"", arg);
		return 0;
	case ARGP_KEY_ARG:
		return -fault_set_exit(&options->fault, EXIT_USAGE, -EINVAL,
				       "doctor takes no argument: \"%s\"", arg);
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static struct doctor_check *add(struct doctor_report *report, const char *name, bool needed,
				bool ok)
{
	struct doctor_check *check = &report->checks[report->count++];

	*check = (struct doctor_check){ .ok = ok, .needed = needed };
	snprintf(check->name, sizeof(check->name), "%s", name);
	return check;
}

static void check_kernel(struct doctor_report *report)
{
	struct utsname host;
	struct doctor_check *check;

	if (uname(&host) != 0)
		return;
	snprintf(report->kernel, sizeof(report->kernel), "%s", host.release);
	/* Only told: whether a feature is there is asked of the kernel, not of its version. */
	check = add(report, "kernel", false, true);
	snprintf(check->detail, sizeof(check->detail), "%s %s, %s", host.sysname, host.release,
		 host.machine);
}

static void check_proc(struct doctor_report *report)
{
	struct doctor_check *check = add(report, "proc", true, procfs_is_own_namespace() == 1);

	if (check->ok) {
		snprintf(check->detail, sizeof(check->detail), "/proc shows this PID namespace");
		return;
	}
	snprintf(check->detail, sizeof(check->detail), "/proc shows another PID namespace");
	snprintf(check->remedy, sizeof(check->remedy),
		 "mount a new /proc in the namespace (unshare --mount-proc), or run on the host");
}

static void check_tracepoints(struct doctor_report *report)
{
	struct features features;
	struct fault fault;
	int err = features_probe(&features, &fault);
	struct doctor_check *check = add(report, "btf", true, !err);

	snprintf(check->detail, sizeof(check->detail), "%s",
		 err ? fault.text : "the kernel describes its types (/sys/kernel/btf/vmlinux)");
	if (err) {
		snprintf(check->remedy, sizeof(check->remedy),
			 "a kernel with CONFIG_DEBUG_INFO_BTF=y, as distributions ship since 2021");
		return;
	}
	for (int i = 0; i < TP_COUNT; i++) {
		const struct feature_tracepoint_info *info = &feature_tracepoints[i];
		bool needed = info->needed ||
			      (i == TP_BLOCK_GETRQ && !features.tracepoint[TP_BLOCK_IO_START]);
		char name[sizeof(check->name)];

		snprintf(name, sizeof(name), "tracepoint %s", info->name);
		check = add(report, name, needed, features.tracepoint[i]);
		snprintf(check->detail, sizeof(check->detail), "%s",
			 check->ok ? "found" : info->lost);
		if (!check->ok)
			snprintf(check->remedy, sizeof(check->remedy), "a newer kernel");
	}
	for (int i = 0; i < MEMBER_COUNT; i++) {
		const struct feature_member_info *info = &feature_members[i];

		check = add(report, info->name, false, features.member[i]);
		snprintf(check->detail, sizeof(check->detail), "%s",
			 check->ok ? "found" : info->lost);
		if (!check->ok)
			snprintf(check->remedy, sizeof(check->remedy),
				 "another kernel, or a newer whystall");
	}
}

/* A function of whystall's own is watched and called. */
static void check_markers(struct doctor_report *report, struct bpf_source *source)
{
	struct fault fault;
	int err = bpf_source_try_markers(source, &fault);
	struct doctor_check *check = add(report, "input markers", false, !err);

	if (!err) {
		snprintf(check->detail, sizeof(check->detail),
			 "functions can be watched (uprobes)");
		return;
	}
	snprintf(check->detail, sizeof(check->detail),
		 "%.400s; what is input in TensorFlow and DALI is not known", fault.text);
	snprintf(check->remedy, sizeof(check->remedy), "%s",
		 err == -EPERM || err == -EACCES ?
			 "root, or CAP_SYS_ADMIN in addition" :
			 "a kernel with CONFIG_UPROBE_EVENTS=y, and /sys mounted");
}

/* The proof: load and attach everything, then let go. */
static void check_attach(struct doctor_report *report)
{
	pid_t own = getpid();
	const struct target job = { .pids = &own, .pid_count = 1 };
	const struct device_choices devices = { .count = 0 };
	const struct bpf_source_options options = {
		.target = &job, .devices = &devices, .max_keys = DEFAULT_MAX_KEYS, .for_judge = true
	};
	struct bpf_source *source = NULL;
	struct fault fault;
	int err = bpf_source_open(&source, &options, &fault);
	struct doctor_check *check = add(report, "attach", true, !err);

	snprintf(check->detail, sizeof(check->detail), "%s",
		 err ? fault.text : "the BPF programs load and attach");
	if (err && geteuid() != 0)
		snprintf(check->remedy, sizeof(check->remedy), "sudo whystall doctor");
	else if (err)
		snprintf(
			check->remedy, sizeof(check->remedy),
			"see the checks above; in a container add CAP_BPF, CAP_PERFMON, "
			"CAP_SYS_ADMIN and CAP_SYS_PTRACE, and a seccomp profile that allows bpf() and "
			"perf_event_open(); on a locked-down kernel allow BPF to read kernel memory");
	if (!err)
		check_markers(report, source);
	bpf_source_close(source);
}

/* What is left where BPF is not permitted. */
static void check_rootless(struct doctor_report *report)
{
	char text[512];
	bool io = procfs_read(getpid(), "io", text, sizeof(text)) > 0;
	bool times = procfs_read(getpid(), "schedstat", text, sizeof(text)) > 0;
	struct doctor_check *check = add(report, "without BPF", false, io && times);

	snprintf(check->detail, sizeof(check->detail), "%s",
		 check->ok ? "/proc has bytes and times of processes (--no-bpf)" :
		 io ? "/proc has no schedstat: waits for a processor are not known with --no-bpf" :
		      "/proc has no io: bytes of processes are not known with --no-bpf");
	if (!check->ok)
		snprintf(check->remedy, sizeof(check->remedy),
			 "a kernel with CONFIG_TASK_IO_ACCOUNTING=y and CONFIG_SCHED_INFO=y, as "
			 "distributions ship");
}

int command_doctor(int argc, char **argv)
{
	static const struct argp_option table[] = {
		{ "format", 'O', "FORMAT", 0, "text or json (text)", 0 },
		{ 0 },
	};
	static const struct argp argp = { .options = table, .parser = parse, .doc = doc };
	struct doctor_options options = { .json = false };
	struct doctor_report report = { .sources.bpf = true };
	struct output output = { .fd = -1 };
	struct fault fault;
	int err;

	if (argp_parse(&argp, argc, argv, 0, NULL, &options) != 0) {
		log_error("%s", options.fault.text);
		return EXIT_USAGE;
	}
	check_kernel(&report);
	check_proc(&report);
	check_tracepoints(&report);
	check_attach(&report);
	check_rootless(&report);
	for (size_t i = 0; i < report.count; i++)
		report.sources.bpf &= report.checks[i].ok || !report.checks[i].needed;
	doctor_check_proc_source(&report);
	err = output_open(&output, NULL, &fault);
	if (!err)
		err = options.json ? show_doctor_json(output.stream, &report) :
				     show_doctor_text(output.stream, &report);
	if (!err)
		err = output_flush(&output, &fault);
	output_close(&output);
	if (err) {
		log_error("%s", fault.text);
		return EXIT_RUNTIME;
	}
	return doctor_works(&report) ? 0 : EXIT_NOT_SUPPORTED;
}
