// SPDX-License-Identifier: BSD-2-Clause
#include "collect/source.h"

#include <errno.h>
#include <stdlib.h>

#include "base/text.h"
#include "collect/bpf_source.h"
#include "collect/pressure.h"

/* One of the two is open, the other NULL. */
struct source {
	struct bpf_source *bpf;
	struct proc_source *proc;
	char reason[sizeof(((struct fault *)NULL)->text)];
};

static int open_bpf(struct source *source, const struct source_options *options,
		    struct fault *fault)
{
	const struct bpf_source_options bpf = { .target = options->target,
						.devices = options->devices,
						.max_keys = options->max_keys,
						.for_judge = options->for_judge,
						.thread_names = options->thread_names };

	return bpf_source_open(&source->bpf, &bpf, fault);
}

static int open_proc(struct source *source, const struct source_options *options,
		     struct fault *fault)
{
	const struct proc_source_options proc = { .target = options->target,
						  .root = "",
						  .looks_per_s = options->looks_per_s,
						  .for_judge = options->for_judge };

	return proc_source_open(&source->proc, &proc, fault);
}

static int open_best(struct source *source, const struct source_options *options,
		     struct fault *fault)
{
	int err = open_bpf(source, options, fault);

	if (!err || fault->exit_code != EXIT_NOT_SUPPORTED)
		return err;
	text_copy(source->reason, sizeof(source->reason), fault->text);
	return open_proc(source, options, fault);
}

int source_open(struct source **result, const struct source_options *options, struct fault *fault)
{
	struct source *source = calloc(1, sizeof(*source));
	int err;

	if (!source)
		return fault_set(fault, -ENOMEM, "out of memory");
	if (options->choice == SOURCE_CHOICE_PROC)
		err = open_proc(source, options, fault);
	else if (options->choice == SOURCE_CHOICE_BPF)
		err = open_bpf(source, options, fault);
	else
		err = open_best(source, options, fault);
	if (err) {
		free(source);
		return err;
	}
	*result = source;
	return 0;
}

enum sample_source source_kind(const struct source *source)
{
	return source->bpf ? SOURCE_BPF : SOURCE_PROC;
}

const char *source_name(const struct source *source)
{
	return source->bpf ? "bpf" : "proc";
}

const char *source_reason(const struct source *source)
{
	return source->reason;
}

int source_read(struct source *source, struct sample *sample, struct fault *fault)
{
	return source->bpf ? bpf_source_read(source->bpf, sample, fault) :
			     proc_source_read(source->proc, sample, fault);
}

int source_read_threads(struct source *source, struct sample *sample, struct fault *fault)
{
	return source->bpf ? bpf_source_read_threads(source->bpf, sample, fault) :
			     proc_source_read_threads(source->proc, sample, fault);
}

void source_read_pressure(const struct source *source, struct sample *sample)
{
	if (source->bpf)
		pressure_read(sample, "");
	else
		proc_source_read_pressure(source->proc, sample);
}

int source_read_files(struct source *source, struct sample *sample, bool with_paths,
		      struct fault *fault)
{
	return source->bpf ? bpf_source_read_files(source->bpf, sample, with_paths, fault) : 0;
}

int source_tidy(struct source *source, struct fault *fault)
{
	if (source->bpf)
		return bpf_source_tidy(source->bpf, fault);
	proc_source_tidy(source->proc);
	return 0;
}

void source_settle(const struct source *source)
{
	if (source->bpf)
		bpf_source_settle(source->bpf);
}

bool source_has_markers(const struct source *source)
{
	return source->bpf && bpf_source_has_markers(source->bpf);
}

int source_wake_fd(const struct source *source)
{
	return source->bpf ? bpf_source_joined_fd(source->bpf) : proc_source_tick_fd(source->proc);
}

int source_wake(struct source *source, struct fault *fault)
{
	return source->bpf ? bpf_source_find_joined(source->bpf, fault) :
			     proc_source_tick(source->proc, fault);
}

void source_assign(struct source *source, uint32_t owner, uint64_t start_boot_ns, uint32_t trainer,
		   pid_t clock_tid)
{
	if (source->bpf)
		bpf_source_assign(source->bpf, owner, start_boot_ns, trainer, clock_tid);
	else
		proc_source_assign(source->proc, owner, start_boot_ns, trainer, clock_tid);
}

int source_serve(struct source *source, pid_t pid, uint32_t trainer)
{
	return source->bpf ? bpf_source_serve(source->bpf, pid, trainer) : -EOPNOTSUPP;
}

bool source_job_found(const struct source *source)
{
	return source->bpf ? bpf_source_job_found(source->bpf) :
			     proc_source_job_found(source->proc);
}

bool source_job_alive(struct source *source)
{
	return source->bpf ? bpf_source_job_alive(source->bpf) :
			     proc_source_job_alive(source->proc);
}

uint64_t source_spilled(const struct source *source)
{
	return source->bpf ? bpf_source_spilled(source->bpf) : 0;
}

uint64_t source_looks(const struct source *source)
{
	return source->proc ? proc_source_looks(source->proc) : 0;
}

void source_gaps(const struct source *source, struct proc_gaps *gaps)
{
	*gaps = (struct proc_gaps){ 0 };
	if (source->proc)
		proc_source_gaps(source->proc, gaps);
}

void source_close(struct source *source)
{
	if (!source)
		return;
	bpf_source_close(source->bpf);
	proc_source_close(source->proc);
	free(source);
}
